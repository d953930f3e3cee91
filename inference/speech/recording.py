"""Caption a complete recording with the same sessions as a meeting, without live text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from inference.speech.engine import Engine
from inference.speech.session import CaptionSession
from inference.types import CaptionEvent


def caption_recording(blocks: Iterable[np.ndarray], session: CaptionSession, engine: Engine) -> Iterator[CaptionEvent]:
    """Yield the finals of float32 `blocks`, each followed by its progress.

    They equal those of the live path for the same audio, whatever the batching.
    """
    for block in blocks:
        session.feed(block)
        yield from _decode(session, engine, until=engine.max_batch)
    session.flush()
    yield from _decode(session, engine, until=1)


def _decode(session: CaptionSession, engine: Engine, *, until: int) -> Iterator[CaptionEvent]:
    """Decode in full batches until fewer than `until` utterances wait; batches keep all cores busy."""
    while session.backlog >= until and (events := engine.step({None: session}, live=False)):
        yield from events[None]
