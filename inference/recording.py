"""A whole recording at once: the same sessions as in a meeting, without live text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from inference.engine import Engine
from inference.session import CaptionSession
from inference.types import CaptionEvent


def caption_recording(blocks: Iterable[np.ndarray], session: CaptionSession, engine: Engine) -> Iterator[CaptionEvent]:
    """The finals of float32 `blocks` as they come about, each followed by its progress.

    They are those that the live path gives for the same audio.
    """
    for block in blocks:
        session.feed(block)
        yield from _drain(session, engine)
    session.flush()
    yield from _drain(session, engine)


def _drain(session: CaptionSession, engine: Engine) -> Iterator[CaptionEvent]:
    while events := engine.step({None: session}, live=False):
        yield from events[None]
