"""Silence in each channel what is only heard there because somebody speaks on another one."""

from __future__ import annotations

import numpy as np

from inference.audio import SAMPLE_RATE

FRAME = SAMPLE_RATE // 10
"""Samples that are judged at once."""

CONTEXT = 3 * FRAME
"""Samples before a frame that are compared with it."""

FARTHEST = SAMPLE_RATE // 20
"""Samples by which crosstalk may come later, or earlier: 50 ms."""

WEAKER_DB = 3.0
"""How much weaker crosstalk is than what it comes from."""

HOPELESS_DB = 25.0
"""What is so much weaker than another channel is never kept."""

ALIKE = 0.4
"""Correlation with the louder channel from which a weaker one is its crosstalk."""

SAME = 0.9
"""Correlation from which two channels hold the same, however loud they are."""

FADE = SAMPLE_RATE // 100
"""Samples in which a channel is silenced."""


class CrosstalkGate:
    """Gates block after block. The result depends only on the blocks so far."""

    def __init__(self, channels: int) -> None:
        self._before = np.zeros((channels, CONTEXT), np.float32)
        self._open = np.ones(channels, np.float32)

    def push(self, block: np.ndarray) -> np.ndarray:
        """Return a float32 block, shape (channels, n), with crosstalk silenced."""
        audio = np.concatenate((self._before, block), axis=1)
        gated = block.copy()
        for start in range(0, block.shape[1], FRAME):
            frame = gated[:, start : start + FRAME]
            heard = audio[:, start : start + CONTEXT + frame.shape[1]]
            is_open = np.array(own_voices(heard, self._open), np.float32)
            ramp = np.ones((len(block), frame.shape[1]), np.float32) * is_open[:, None]
            head = min(FADE, frame.shape[1])
            ramp[:, :head] = np.linspace(self._open, is_open, head, axis=1)
            frame *= ramp
            self._open = is_open
        self._before = audio[:, -CONTEXT:]
        return gated


def own_voices(audio: np.ndarray, is_open: np.ndarray) -> list[bool]:
    """Return for each channel of `audio`, shape (channels, n), whether it holds something of its own at the end.

    Of channels that are nearly as loud, one that `is_open` before counts as the loudest.
    """
    energy = np.square(audio[:, -FRAME:], dtype=np.float64).sum(axis=1)
    loudest = int((energy * (1 + is_open)).argmax())
    if energy[loudest] <= 0:
        return [True] * len(audio)
    return [
        channel == loudest or not _is_crosstalk(audio[channel], audio[loudest], energy[channel] / energy[loudest])
        for channel in range(len(audio))
    ]


def _is_crosstalk(weak: np.ndarray, loud: np.ndarray, ratio: float) -> bool:
    if ratio < 10 ** (-HOPELESS_DB / 10):
        return True
    return likeness(weak, loud) > (ALIKE if ratio < 10 ** (-WEAKER_DB / 10) else SAME)


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Return the largest correlation of two signals, however they are shifted by up to FARTHEST."""
    size = 1 << (len(one) + FARTHEST).bit_length()
    product = np.fft.irfft(np.fft.rfft(one, size) * np.conj(np.fft.rfft(other, size)), size)
    near = np.abs(np.concatenate((product[: FARTHEST + 1], product[-FARTHEST:])))
    scale = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(near.max()) / scale if scale > 0 else 0.0
