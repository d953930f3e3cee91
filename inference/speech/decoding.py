"""How a request is decoded: encoder window, beam size, and which requests may share a batch.

Whisper was trained on 30 s windows, but its encoder accepts shorter ones at proportionally lower cost. It does need
silence after the last word: without about half a second of zeros the decoder loops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil
from typing import Any

import numpy as np

from inference.audio import SAMPLE_RATE
from inference.speech.asr import DecodeKind, DecodeRequest

HOP = 160
"""Samples between two frames of the log-mel spectrogram."""

LONGEST_WINDOW = 30.0
"""Seconds; the encoder has no positions beyond."""

POSITIONS = 448
"""The decoder's positions in tokens, including the prompt."""


@dataclass(frozen=True, slots=True)
class DecodePolicy:
    """Decoding parameters for one kind of request. docs/live-policy.md has the measurements behind the defaults."""

    beam: int
    window: float
    """Shortest encoder window in seconds."""
    padding: float
    """Minimum silence after the audio in seconds."""
    window_step: float
    """Window lengths are multiples of this many seconds, so that requests of similar length share a batch."""
    no_repeat: int = 0
    """No sequence of this many tokens may occur twice; 0 disables the check."""
    tokens_a_second: float = 8.0
    """Upper bound of the text per second of audio; speech is never faster."""

    def frames(self, samples: int) -> int:
        """Return the spectrogram frames of the window in which `samples` of audio are decoded."""
        seconds = max(self.window, samples / SAMPLE_RATE + self.padding)
        steps = ceil(min(seconds, LONGEST_WINDOW) / self.window_step)
        return round(steps * self.window_step * SAMPLE_RATE / HOP)

    def max_tokens(self, samples: int) -> int:
        """Return the maximum tokens of the text. Equal for all audio with the same window, and so for a whole batch."""
        return 16 + int(self.frames(samples) * HOP / SAMPLE_RATE * self.tokens_a_second)


POLICIES: dict[DecodeKind, DecodePolicy] = {
    "live": DecodePolicy(beam=1, window=8.0, padding=1.0, window_step=1.0),
    "seal": DecodePolicy(beam=1, window=8.0, padding=1.0, window_step=1.0),
    "final": DecodePolicy(beam=5, window=12.0, padding=1.0, window_step=1.0),
    "careful": DecodePolicy(beam=5, window=30.0, padding=1.0, window_step=1.0, no_repeat=4),
}


def batch_key(request: DecodeRequest) -> tuple[int, int, int, str, tuple[str, ...]]:
    """Return the batch key. Requests with equal keys have the same window, search, language and vocabulary.

    A request whose language must be detected has a unique key.
    """
    policy = POLICIES[request.kind]
    language = request.language or f"of {request.start}"
    return policy.frames(len(request.audio)), policy.beam, policy.no_repeat, language, request.vocabulary


def share_batches(requests: Sequence[DecodeRequest], *, most: int) -> Iterator[list[int]]:
    """Yield the indices of requests that can share a batch, at most `most` at a time."""

    def key(place: int) -> tuple[Any, ...]:
        return batch_key(requests[place])

    for _, group in groupby(sorted(range(len(requests)), key=key), key=key):
        alike = list(group)
        for first in range(0, len(alike), most):
            yield alike[first : first + most]


def log_mel(features: Callable[..., np.ndarray], audio: np.ndarray, frames: int) -> np.ndarray:
    """Return the log-mel spectrogram, float32, shape (mels, frames), of the audio padded with zeros.

    `features` is faster-whisper's `FeatureExtractor`. Audio beyond `frames` is ignored.
    """
    padded = np.zeros(frames * HOP, np.float32)
    padded[: len(audio)] = audio[: len(padded)]
    return np.ascontiguousarray(features(padded, padding=0)[:, :frames], dtype=np.float32)


def spoken_frames(samples: int) -> int:
    """Return the spectrogram frames that hold `samples` of audio; a transcript is aligned with these only."""
    return max(2, min(samples // HOP, round(LONGEST_WINDOW * SAMPLE_RATE / HOP)))
