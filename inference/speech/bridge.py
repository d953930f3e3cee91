"""Provisional captions: a small model goes on listening while the models that write good captions are away.

What it writes is never stored. Each of its texts has the segment of the caption that will be written of the same audio
later, so that the one replaces the other on every page.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Generic, TypeVar

import numpy as np

from inference.speech.asr import Transcriber
from inference.speech.engine import Engine
from inference.speech.session import CaptionSession
from inference.types import CaptionEvent, FinalCaption, PartialCaption

Key = TypeVar("Key", bound=Hashable)
"""However the caller names its meetings."""


class Bridge(Generic[Key]):
    """Belongs to one thread, the one that feeds the sessions it follows."""

    def __init__(self, transcriber: Transcriber) -> None:
        # One at a time: whoever waits for the first word should not wait for a batch.
        self._engine = Engine(transcriber, max_batch=1)
        self._forks: dict[Key, CaptionSession] = {}

    def follow(self, key: Key, session: CaptionSession, audio_after: Callable[[int], np.ndarray]) -> None:
        """Hears what the meeting has said since the last call; the first time, whatever is not captioned yet.

        `audio_after(position)` gives the float32 samples from that position up to `session.received`.
        """
        if key not in self._forks:
            self._forks[key] = session.fork()
        fork = self._forks[key]
        fork.feed(audio_after(fork.received))

    def step(self) -> dict[Key, list[PartialCaption]]:
        """Decodes one utterance, and says what came of it; empty when there was nothing to do."""
        return {key: _provisional(events) for key, events in self._engine.step(self._forks).items()}

    def end(self) -> None:
        """The others are back: forgets what was heard."""
        self._forks.clear()


def _provisional(events: list[CaptionEvent]) -> list[PartialCaption]:
    partials = [event for event in events if isinstance(event, PartialCaption)]
    finals = [event for event in events if isinstance(event, FinalCaption)]
    closed = [PartialCaption(final.segment, final.start, final.text) for final in finals]
    return [replace(partial, provisional=True) for partial in (*closed, *partials)]
