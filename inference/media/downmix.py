"""Mix the channels of a recording to one, without cancelling what channels of opposite phase hold."""

from __future__ import annotations

import numpy as np
from numpy.fft import irfft, rfft  # numpy loads it at its first use, too late in the sandbox

from inference.media.protocol import RATE

OPPOSITE = -0.5
"""Correlation with the loudest channel below which a channel is turned over before it is mixed."""

ALIKE = 0.3
"""Correlation above which it no longer is. Between the two it stays as it was."""

HEARD = 1e-5
"""Root mean square below which a block says nothing about phases."""

DELAYED = 0.8
"""Correlation with the loudest channel, earlier or later, from which a channel is left out as its echo."""

COARSE = 4
"""Samples of which one is made to look for delays."""

LEAST_DELAY, MOST_DELAY = RATE // COARSE // 500, RATE // COARSE // 20
"""Coarse samples: 2 ms, below which two channels sound as one, and 50 ms."""

FADE = 256
"""Samples in which a weight changes: 16 ms."""


class Downmix:
    """Mixes block after block. The result depends only on the blocks so far."""

    def __init__(self) -> None:
        self._signs = np.ones(0, np.float32)
        self._weights = self._signs

    def mix(self, block: np.ndarray) -> np.ndarray:
        """Return the mean of the channels, with those of opposite phase turned over and echoes left out.

        Args:
            block: float32, shape (n, channels).

        Returns:
            float32, shape (n,).
        """
        channels = block.shape[1]
        if channels == 1:
            return block[:, 0]
        is_first = len(self._signs) != channels
        if is_first:
            self._signs = self._weights = np.ones(channels, np.float32)
        loudest = loudest_channel(block, self._weights)
        if loudest is not None:
            self._signs = signs(block, loudest, self._signs)
            weights = self._signs * without_echoes(block, loudest)
        else:
            weights = self._weights
        before, self._weights = weights if is_first else self._weights, weights
        return weighted_mean(block, before, weights)


def loudest_channel(block: np.ndarray, weights: np.ndarray) -> int | None:
    """Return the index of the loudest channel; None if the block says nothing, or holds what is no number.

    Of channels that are nearly as loud, it is the one that had most weight in the block before.
    """
    with np.errstate(all="ignore"):  # a float file may hold any number
        energy = np.square(block, dtype=np.float64).sum(axis=0)
    if not np.isfinite(energy).all() or energy.max() < len(block) * HEARD**2:
        return None
    return int((energy * np.where(np.abs(weights) == np.abs(weights).max(), 2, 1)).argmax())


def signs(block: np.ndarray, loudest: int, before: np.ndarray) -> np.ndarray:
    """Return 1 or −1 for each channel of a block; `before`: those of the block before, kept where nothing is clear."""
    sound = block.astype(np.float64)
    energy = np.square(sound).sum(axis=0)
    correlation = sound[:, loudest] @ sound / np.sqrt(np.maximum(energy * energy[loudest], 1e-300))
    relative = before * before[loudest]
    relative = np.where(correlation < OPPOSITE, -1, np.where(correlation > ALIKE, 1, relative))
    # All channels turned over sound the same; of the two, the one that changes less is used.
    is_turned = float((relative * before * energy).sum()) < 0
    return np.asarray(-relative if is_turned else relative, np.float32)


def without_echoes(block: np.ndarray, loudest: int) -> np.ndarray:
    """Return the weight of each channel: 0 for delayed copies of the loudest one, which stands for them, else 1."""
    weights = np.ones(block.shape[1], np.float32)
    coarse = block[: len(block) // COARSE * COARSE].reshape(-1, COARSE, block.shape[1]).mean(axis=1)
    for channel in range(block.shape[1]):
        if channel != loudest and is_delayed(coarse[:, channel], coarse[:, loudest]):
            weights[channel] = 0
            weights[loudest] += 1
    return weights


def is_delayed(one: np.ndarray, other: np.ndarray) -> bool:
    """Return whether a signal is a copy of another one, earlier or later by LEAST_DELAY to MOST_DELAY samples."""
    scale = float(np.linalg.norm(one) * np.linalg.norm(other))
    if scale <= 0 or abs(float(one @ other)) > DELAYED * scale:
        return False
    size = 1 << (len(one) + MOST_DELAY).bit_length()
    product = np.abs(irfft(rfft(one, size) * np.conj(rfft(other, size)), size))
    far = np.concatenate((product[LEAST_DELAY : MOST_DELAY + 1], product[-MOST_DELAY : -LEAST_DELAY + 1]))
    return float(far.max()) > DELAYED * scale


def weighted_mean(block: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return the sum of the weighted channels by their number. The weights change from `before` to `after` in FADE."""
    total = block[:, 0] * after[0]
    for channel in range(1, block.shape[1]):
        total += block[:, channel] * after[channel]
    if (before != after).any():
        head = min(FADE, len(block))
        rising = np.linspace(0, 1, head, dtype=np.float32)[:, None]
        total[:head] = (block[:head] * (before + (after - before) * rising)).sum(axis=1)
    return np.asarray(total / np.float32(block.shape[1]), np.float32)
