from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from inference.diarization.turns import (
    NO_SPEAKER,
    SHORTEST_PAUSE,
    SHORTEST_TURN,
    SpeakerTurn,
    smoothed_spans,
    spans,
    turns_of,
)

ACTIVITY = st.lists(st.booleans(), max_size=200).map(lambda cells: np.array(cells, bool))


def test_columns_become_turns_in_the_order_of_their_starts() -> None:
    active = np.zeros((200, 2), bool)
    active[100:150, 0] = True
    active[20:110, 1] = True
    assert turns_of(active, [0, 1], start=500) == (
        SpeakerTurn(10.4, 12.2, "S2"),
        SpeakerTurn(12.0, 13.0, "S1"),
    )


def test_an_unsure_column_has_no_name() -> None:
    assert turns_of(np.ones((50, 1), bool), [NO_SPEAKER], start=0) == (SpeakerTurn(0.0, 1.0, None),)


def test_a_short_pause_is_bridged_and_a_long_one_is_not() -> None:
    active = np.ones(300, bool)
    active[100 : 100 + SHORTEST_PAUSE - 1] = False
    assert smoothed_spans(active) == [(0, 300)]
    active[100 : 100 + SHORTEST_PAUSE] = False
    assert smoothed_spans(active) == [(0, 100), (100 + SHORTEST_PAUSE, 300)]


def test_a_short_sound_is_no_turn_unless_it_may_go_on() -> None:
    active = np.zeros(200, bool)
    active[100 : 100 + SHORTEST_TURN - 1] = True
    active[199] = True
    assert smoothed_spans(active) == [(199, 200)]


@given(ACTIVITY)
def test_spans_are_exactly_where_the_cells_hold(active: np.ndarray) -> None:
    rebuilt = np.zeros_like(active)
    for first, last in spans(active):
        assert first < last
        rebuilt[first:last] = True
    assert np.array_equal(rebuilt, active)


@given(ACTIVITY)
def test_smoothed_spans_are_apart_and_touch_the_activity(active: np.ndarray) -> None:
    smoothed = smoothed_spans(active)
    assert all(active[first] and active[last - 1] for first, last in smoothed)
    assert all(later[0] - earlier[1] >= SHORTEST_PAUSE for earlier, later in itertools.pairwise(smoothed))
