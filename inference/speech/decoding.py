"""How a request is decoded: in which encoder window, with which beam, and with whom it can share a batch.

Whisper was trained on 30 s windows, but its encoder takes shorter ones, and the cost falls with the length. What it
does need is silence after the last word: without about half a second of zeros the decoder loops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil
from typing import Any

import numpy as np

from inference.audio import SAMPLE_RATE
from inference.speech.asr import DecodeRequest, Kind

HOP = 160
"""Samples between two frames of the log-mel spectrogram."""

LONGEST_WINDOW = 30.0
"""Seconds: all that the encoder has positions for."""

POSITIONS = 448
"""Tokens that the decoder has positions for, prompt included."""


@dataclass(frozen=True, slots=True)
class DecodePolicy:
    """How one kind of request is decoded. The figures behind the defaults are in docs/live-policy.md."""

    beam: int
    window: float
    """Shortest encoder window, seconds."""
    padding: float
    """Least silence after the audio, seconds."""
    window_step: float
    """Windows are a multiple of this long, seconds, so that requests of nearly one length share a batch."""
    no_repeat: int = 0
    """No phrase of so many tokens is written twice; 0: any may be."""
    tokens_a_second: float = 8.0
    """Bounds the text by the audio: nobody speaks faster."""

    def frames(self, samples: int) -> int:
        """Spectrogram frames of the window that `samples` of audio are decoded in."""
        seconds = max(self.window, samples / SAMPLE_RATE + self.padding)
        steps = ceil(min(seconds, LONGEST_WINDOW) / self.window_step)
        return round(steps * self.window_step * SAMPLE_RATE / HOP)

    def max_tokens(self, samples: int) -> int:
        """Most tokens that the text may have; the same for all audio that shares a window, so for a whole batch."""
        return 16 + int(self.frames(samples) * HOP / SAMPLE_RATE * self.tokens_a_second)


POLICIES: dict[Kind, DecodePolicy] = {
    "live": DecodePolicy(beam=1, window=8.0, padding=1.0, window_step=1.0),
    "final": DecodePolicy(beam=5, window=12.0, padding=1.0, window_step=1.0),
    "careful": DecodePolicy(beam=5, window=30.0, padding=1.0, window_step=1.0, no_repeat=4),
}


def batch_key(request: DecodeRequest) -> tuple[str, int, str, tuple[str, ...], int]:
    """Requests of one key can be one batch: same window, same prompt length, same language.

    A language yet to be detected is shared with nobody.
    """
    frames = POLICIES[request.kind].frames(len(request.audio))
    language = request.language or f"of {request.start}"
    return request.kind, frames, language, request.vocabulary, len(request.prefix)


def share_batches(requests: Sequence[DecodeRequest], *, most: int) -> Iterator[list[int]]:
    """Places of the requests, put together where they are alike, at most `most` of them."""

    def key(place: int) -> tuple[Any, ...]:
        return batch_key(requests[place])

    for _, group in groupby(sorted(range(len(requests)), key=key), key=key):
        alike = list(group)
        for first in range(0, len(alike), most):
            yield alike[first : first + most]


def log_mel(features: Callable[..., np.ndarray], audio: np.ndarray, frames: int) -> np.ndarray:
    """Log-mel spectrogram, float32, shape (mels, frames), of the audio and the zeros after it.

    `features` is faster-whisper's `FeatureExtractor`; audio past `frames` is not heard.
    """
    padded = np.zeros(frames * HOP, np.float32)
    padded[: len(audio)] = audio[: len(padded)]
    return np.ascontiguousarray(features(padded, padding=0)[:, :frames], dtype=np.float32)


def spoken_frames(samples: int) -> int:
    """Spectrogram frames that hold `samples` of audio, of which a transcript may be aligned with them."""
    return max(2, min(samples // HOP, round(LONGEST_WINDOW * SAMPLE_RATE / HOP)))
