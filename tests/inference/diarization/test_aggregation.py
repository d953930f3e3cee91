from __future__ import annotations

import numpy as np

from inference.diarization.aggregation import HeardWindow, vote
from inference.diarization.turns import NO_SPEAKER
from tests.inference.diarization.doubles import voice


def test_what_most_windows_say_counts() -> None:
    said = [HeardWindow(start, (voice(1),), (number,)) for start, number in ((0, 0), (0, 1), (0, 1))]
    active, numbers = vote(said, 100, 200)
    assert numbers == [1, 0]
    assert np.array_equal(active, np.tile([True, False], (100, 1)))


def test_two_speak_where_the_windows_found_two() -> None:
    window = HeardWindow(0, (voice(1, cells=slice(0, 300)), voice(2, cells=slice(200, 500))), (0, 1))
    active, numbers = vote([window], 0, 500)
    assert numbers == [1, 0]
    assert active.sum(axis=1).tolist() == [1] * 200 + [2] * 100 + [1] * 200


def test_a_speaker_wins_a_tie_against_nobody_in_particular() -> None:
    said = [HeardWindow(0, (voice(1),), (NO_SPEAKER,)), HeardWindow(0, (voice(1),), (0,))]
    active, numbers = vote(said, 0, 10)
    assert [number for number, column in zip(numbers, active.T, strict=True) if column.any()] == [0]


def test_windows_elsewhere_have_no_say() -> None:
    active, numbers = vote([HeardWindow(-450, (voice(1),), (0,)), HeardWindow(1000, (voice(2),), (1,))], 100, 200)
    assert numbers == []
    assert active.shape == (100, 0)
