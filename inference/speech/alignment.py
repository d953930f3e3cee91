"""When each token was said: the cheapest path through the decoder's attention to the audio.

The way of OpenAI's `whisper/timing.py`: attention of the heads that follow the audio, standardised over the tokens,
smoothed by a median over the frames, averaged, and walked by dynamic time warping (Sakoe & Chiba 1978).
"""

from __future__ import annotations

import numpy as np

MEDIAN_WIDTH = 7
"""Frames."""


def attention_path(attention: np.ndarray) -> list[tuple[int, int]]:
    """(token, frame) pairs in rising order, from the first of both to the last of both.

    `attention` is float32, shape (heads, tokens, frames): for each head and token a distribution over the frames.
    """
    spread = attention.std(axis=1, keepdims=True)
    standard = (attention - attention.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1)
    return cheapest_path(-_smoothed(standard).mean(axis=0))


def cheapest_path(cost: np.ndarray) -> list[tuple[int, int]]:
    """The path through `cost`, shape (rows, columns), of least sum; it steps down, right, or both at once."""
    steps = _steps(cost)
    row, column = cost.shape[0] - 1, cost.shape[1] - 1
    path = [(row, column)]
    while row or column:
        down, right = STEPS[steps[row, column]]
        row, column = row - down, column - right
        path.append((row, column))
    return path[::-1]


STEPS = ((1, 1), (1, 0), (0, 1))
"""Rows and columns by which a cell is reached; of equally cheap ones the first is taken."""


def _steps(cost: np.ndarray) -> np.ndarray:
    """For each cell the place in STEPS of its cheapest way; one diagonal after the other, all cells of it at once."""
    rows, columns = cost.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0.0
    steps = np.zeros((rows, columns), np.int8)
    for diagonal in range(rows + columns - 1):
        row = np.arange(max(0, diagonal - columns + 1), min(rows, diagonal + 1))
        column = diagonal - row
        # `total` has a row and a column of infinity before the first.
        ways = np.stack([total[row, column], total[row, column + 1], total[row + 1, column]])
        steps[row, column] = ways.argmin(axis=0)
        total[row + 1, column + 1] = cost[row, column] + ways.min(axis=0)
    return steps


def _smoothed(attention: np.ndarray) -> np.ndarray:
    """The median of the frames around each one; the ends are mirrored."""
    reach = MEDIAN_WIDTH // 2
    if attention.shape[-1] <= reach:
        return attention
    padded = np.pad(attention, ((0, 0), (0, 0), (reach, reach)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, MEDIAN_WIDTH, axis=-1)
    smoothed: np.ndarray = np.median(windows, axis=-1)
    return smoothed
