from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from inference.speech.alignment import attention_path, cheapest_path

COSTS = arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=7), elements=st.integers(-9, 9))


def least_sum(cost: np.ndarray) -> float:
    """By trying all ways."""

    @cache
    def reach(row: int, column: int) -> float:
        if row < 0 or column < 0:
            return np.inf
        before = min(reach(row - 1, column - 1), reach(row - 1, column), reach(row, column - 1))
        return float(cost[row, column]) + (0.0 if row == column == 0 else before)

    return reach(cost.shape[0] - 1, cost.shape[1] - 1)


@given(COSTS)
def test_the_path_is_the_cheapest_and_leaves_nothing_out(cost: np.ndarray) -> None:
    path = cheapest_path(cost)
    assert sum(cost[cell] for cell in path) == least_sum(cost)
    assert (path[0], path[-1]) == ((0, 0), (cost.shape[0] - 1, cost.shape[1] - 1))
    steps = {(after[0] - before[0], after[1] - before[1]) for before, after in pairwise(path)}
    assert steps <= {(1, 1), (1, 0), (0, 1)}


def test_attention_that_moves_on_is_followed() -> None:
    """Three tokens, ten frames each."""
    attention = np.full((2, 3, 30), 0.01, np.float32)
    for token in range(3):
        attention[:, token, token * 10 : token * 10 + 10] = 0.1
    path = attention_path(attention)
    starts = [min(frame for token, frame in path if token == place) for place in range(3)]
    assert starts == [0, 10, 20]


def test_attention_that_says_nothing_gives_some_path() -> None:
    path = attention_path(np.full((1, 2, 2), 0.5, np.float32))
    assert (path[0], path[-1]) == ((0, 0), (1, 1))
