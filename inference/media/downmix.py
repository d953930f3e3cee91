"""Mix the channels of a recording to one, without cancelling what channels of opposite phase hold."""

from __future__ import annotations

import numpy as np

OPPOSITE = -0.5
"""Correlation with the loudest channel below which a channel is turned over before it is mixed."""

ALIKE = 0.3
"""Correlation above which it no longer is. Between the two it stays as it was."""

HEARD = 1e-5
"""Root mean square below which a block says nothing about phases."""

FADE = 256
"""Samples in which a channel is turned over: 16 ms."""


class Downmix:
    """Mixes block after block. The result depends only on the blocks so far."""

    def __init__(self) -> None:
        self._signs = np.ones(0, np.float32)

    def mix(self, block: np.ndarray) -> np.ndarray:
        """Return the mean of the channels, with those of opposite phase turned over.

        Args:
            block: float32, shape (n, channels).

        Returns:
            float32, shape (n,).
        """
        channels = block.shape[1]
        if channels == 1:
            return block[:, 0]
        before = self._signs if len(self._signs) == channels else np.ones(channels, np.float32)
        is_first = len(self._signs) != channels
        self._signs = after = signs(block, before)
        return mean(block, after if is_first else before, after)


def signs(block: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Return 1 or −1 for each channel of a block; `before`: those of the block before, kept where nothing is clear."""
    with np.errstate(all="ignore"):  # a float file may hold any number
        products = block.T.astype(np.float64) @ block
    energy = np.diagonal(products)
    loudest = int(np.nan_to_num(energy).argmax())
    if not np.isfinite(products).all() or energy[loudest] < len(block) * HEARD**2:
        return before
    correlation = products[loudest] / np.sqrt(np.maximum(energy * energy[loudest], 1e-300))
    relative = before * before[loudest]
    relative = np.where(correlation < OPPOSITE, -1, np.where(correlation > ALIKE, 1, relative))
    # All channels turned over sound the same; of the two, the one that changes less is used.
    is_turned = float((relative * before * energy).sum()) < 0
    return np.asarray(-relative if is_turned else relative, np.float32)


def mean(block: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return the mean of the channels, weighted with their signs, which change from `before` to `after` in FADE."""
    total = block[:, 0] * after[0]
    for channel in range(1, block.shape[1]):
        total += block[:, channel] * after[channel]
    if (before != after).any():
        head = min(FADE, len(block))
        rising = np.linspace(0, 1, head, dtype=np.float32)[:, None]
        total[:head] = (block[:head] * (before + (after - before) * rising)).sum(axis=1)
    return np.asarray(total / np.float32(block.shape[1]), np.float32)
