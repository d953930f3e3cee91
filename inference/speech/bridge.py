"""Provisional captions: a small model keeps transcribing while the caption models are off the device.

Its text is never stored. Each partial has the segment of the later caption for the same audio, so that the caption
replaces it on every page.
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
"""The caller's key for a meeting."""


class InterimTranscriber(Generic[Key]):
    """Must be used by one thread, the one that feeds the sessions."""

    def __init__(self, transcriber: Transcriber) -> None:
        # No batching: the first words should appear without waiting for a batch.
        self._engine = Engine(transcriber, max_batch=1)
        self._forks: dict[Key, CaptionSession] = {}

    def follow(self, key: Key, session: CaptionSession, audio_after: Callable[[int], np.ndarray]) -> None:
        """Feed the audio received since the last call; on the first call, all audio without a caption.

        `audio_after(position)` returns the float32 samples from that position up to `session.received`.
        """
        if key not in self._forks:
            self._forks[key] = session.fork()
        fork = self._forks[key]
        fork.feed(audio_after(fork.received))

    def step(self) -> dict[Key, list[PartialCaption]]:
        """Decode one utterance and return its partials by meeting; empty if there was nothing to do."""
        return {key: _provisional(events) for key, events in self._engine.step(self._forks).items()}

    def end(self) -> None:
        """Discard all state. Call it when the caption models are back."""
        self._forks.clear()


def _provisional(events: list[CaptionEvent]) -> list[PartialCaption]:
    partials = [event for event in events if isinstance(event, PartialCaption)]
    finals = [event for event in events if isinstance(event, FinalCaption)]
    closed = [PartialCaption(final.segment, final.start, final.text) for final in finals]
    return [replace(partial, provisional=True) for partial in (*closed, *partials)]
