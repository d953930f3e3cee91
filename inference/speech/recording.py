"""Caption a complete recording with the same sessions as a meeting, without live text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from inference.speech.engine import Engine
from inference.speech.session import CaptionSession
from inference.types import CaptionEvent


def caption_recording(blocks: Iterable[np.ndarray], session: CaptionSession, engine: Engine) -> Iterator[CaptionEvent]:
    """Yield the finals of float32 `blocks`, each followed by its progress.

    They equal those of the live path for the same audio, whatever the batching.
    """
    apart = (block[np.newaxis] for block in blocks)
    yield from (event for _, event in caption_channels(apart, [session], engine))


def caption_channels(
    blocks: Iterable[np.ndarray], sessions: Sequence[CaptionSession], engine: Engine
) -> Iterator[tuple[int, CaptionEvent]]:
    """Do the same for blocks of shape (channels, n), each channel by its own session; yield the channel too."""
    by_channel = dict(enumerate(sessions))
    for block in blocks:
        for session, samples in zip(sessions, block, strict=True):
            session.feed(samples)
        yield from _decoded(by_channel, engine, until=engine.max_batch)
    for session in sessions:
        session.flush()
    yield from _decoded(by_channel, engine, until=1)


def _decoded(
    sessions: Mapping[int, CaptionSession], engine: Engine, *, until: int
) -> Iterator[tuple[int, CaptionEvent]]:
    """Decode in full batches until fewer than `until` utterances wait; batches keep all cores busy."""
    while sum(session.backlog for session in sessions.values()) >= until and (
        events := engine.step(dict(sessions), live=False)
    ):
        yield from ((channel, event) for channel, some in events.items() for event in some)
