"""Token timestamps from the cheapest path through the decoder's attention to the audio.

Follows OpenAI's `whisper/timing.py`: the attention of the alignment heads is standardized over the tokens, smoothed by
a median over the frames, averaged, and traversed by dynamic time warping (Sakoe & Chiba 1978).
"""

from __future__ import annotations

import numpy as np

MEDIAN_WIDTH = 7
"""Frames."""


def attention_path(attention: np.ndarray) -> list[tuple[int, int]]:
    """Return (token, frame) pairs in ascending order, from the first of both to the last of both.

    `attention` is float32, shape (heads, tokens, frames): a distribution over the frames for each head and token.
    """
    spread = attention.std(axis=1, keepdims=True)
    standard = (attention - attention.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1)
    return cheapest_path(-_smoothed(standard).mean(axis=0))


def cheapest_path(cost: np.ndarray) -> list[tuple[int, int]]:
    """Return the cheapest path through `cost`, shape (rows, columns). It steps down, right, or diagonally."""
    steps = _steps(cost)
    row, column = cost.shape[0] - 1, cost.shape[1] - 1
    path = [(row, column)]
    while row or column:
        down, right = DTW_STEPS[steps[row, column]]
        row, column = row - down, column - right
        path.append((row, column))
    return path[::-1]


DTW_STEPS = ((1, 1), (1, 0), (0, 1))
"""Rows and columns by which a cell is reached. The first wins among equally cheap ones."""


def _steps(cost: np.ndarray) -> np.ndarray:
    """Return each cell's cheapest step as an index into STEPS, computed one diagonal at a time."""
    rows, columns = cost.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0.0
    steps = np.zeros((rows, columns), np.int8)
    for diagonal in range(rows + columns - 1):
        row = np.arange(max(0, diagonal - columns + 1), min(rows, diagonal + 1))
        column = diagonal - row
        # `total` has an extra leading row and column of infinity.
        ways = np.stack([total[row, column], total[row, column + 1], total[row + 1, column]])
        steps[row, column] = ways.argmin(axis=0)
        total[row + 1, column + 1] = cost[row, column] + ways.min(axis=0)
    return steps


def _smoothed(attention: np.ndarray) -> np.ndarray:
    """Return the median of the frames around each frame, mirrored at the ends."""
    reach = MEDIAN_WIDTH // 2
    if attention.shape[-1] <= reach:
        return attention
    padded = np.pad(attention, ((0, 0), (0, 0), (reach, reach)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, MEDIAN_WIDTH, axis=-1)
    smoothed: np.ndarray = np.median(windows, axis=-1)
    return smoothed
