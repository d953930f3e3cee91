from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.audio import SAMPLE_RATE
from inference.speech.endpointing import Boundary, Endpointer, EndpointPolicy, Utterance
from inference.speech.vad import VAD_WINDOW

STEADY = EndpointPolicy(pauses=((1.0, 0.32), (1.0, 0.32)), pre_roll=0.128, overlap=0.064, cap=3.2, cap_search=0.96)
"""Everything a whole number of 32 ms windows: pause 10, pre-roll 4, overlap 2, cap 100, search 30."""


def cut(endpointer: Endpointer, probabilities: Iterable[float]) -> list[Utterance]:
    return [utterance for probability in probabilities if (utterance := endpointer.push(probability))]


def windows(first: int, last: int, onset: int, speech: int, surest: float = 0.9) -> Utterance:
    return Utterance(first * VAD_WINDOW, last * VAD_WINDOW, onset * VAD_WINDOW, speech * VAD_WINDOW, surest)


def test_speech_between_pauses_is_one_utterance_with_pre_roll() -> None:
    endpointer = Endpointer(STEADY)
    assert cut(endpointer, [0.0] * 20 + [0.9] * 30 + [0.0] * 20) == [windows(16, 60, 20, 30)]


def test_nothing_is_cut_from_silence() -> None:
    endpointer = Endpointer(STEADY)
    assert cut(endpointer, [0.49] * 1000) == []
    assert endpointer.earliest == 996 * VAD_WINDOW


def test_pre_roll_does_not_reach_before_the_first_sample() -> None:
    assert cut(Endpointer(STEADY), [0.9] * 5 + [0.0] * 10) == [windows(0, 15, 0, 5)]


def test_a_pause_too_short_closes_nothing() -> None:
    endpointer = Endpointer(STEADY)
    assert cut(endpointer, [0.9] * 10 + [0.0] * 9 + [0.9] * 10 + [0.0] * 9) == []
    assert endpointer.start == 0


def test_what_lies_between_the_levels_goes_on_as_it_was() -> None:
    assert cut(Endpointer(STEADY), [0.9] + [0.4] * 50) == []
    assert cut(Endpointer(STEADY), [0.9, 0.1] + [0.4] * 9) == [windows(0, 11, 0, 1)]


def test_the_next_utterance_may_hold_the_end_of_the_pause() -> None:
    probabilities = [0.9] * 10 + [0.0] * 10 + [0.9] * 10 + [0.0] * 10
    assert cut(Endpointer(STEADY), probabilities) == [windows(0, 20, 0, 10), windows(18, 40, 20, 10)]


def test_at_the_cap_the_least_speech_like_place_is_cut() -> None:
    probabilities = [0.9] * 80 + [0.5] + [0.9] * 60
    endpointer = Endpointer(STEADY)
    utterances = cut(endpointer, probabilities)
    assert utterances == [windows(0, 80, 0, 80)]
    assert endpointer.start == 80 * VAD_WINDOW


def test_a_deeper_gap_long_before_the_cap_is_left_alone() -> None:
    probabilities = [0.9] * 20 + [0.1] + [0.9] * 60 + [0.6] + [0.9] * 40
    assert cut(Endpointer(STEADY), probabilities) == [windows(0, 81, 0, 80)]


def test_flush_closes_where_it_falls_and_again_changes_nothing() -> None:
    endpointer = Endpointer(STEADY)
    cut(endpointer, [0.9] * 10)
    assert endpointer.flush(10 * VAD_WINDOW + 100) == Utterance(0, 10 * VAD_WINDOW + 100, 0, 10 * VAD_WINDOW, 0.9)
    assert endpointer.flush(10 * VAD_WINDOW + 100) is None
    assert endpointer.push(0.9) is None
    assert endpointer.start == 10 * VAD_WINDOW + 100


@pytest.mark.parametrize(("length", "pause"), [(0.0, 0.8), (1.0, 0.8), (3.5, 0.55), (6.0, 0.3), (60.0, 0.3)])
def test_the_pause_shrinks_as_the_utterance_grows(length: float, pause: float) -> None:
    assert EndpointPolicy(pauses=((1.0, 0.8), (6.0, 0.3))).pause(length) == pytest.approx(pause)


probabilities = st.lists(
    st.tuples(st.sampled_from([0.0, 0.2, 0.4, 0.6, 0.95]), st.integers(1, 60)), min_size=1, max_size=20
).map(lambda runs: [probability for probability, length in runs for _ in range(length)])


@given(probabilities)
def test_every_speech_window_is_in_exactly_one_utterance(script: list[float]) -> None:
    endpointer = Endpointer(STEADY)
    utterances = cut(endpointer, script)
    last = endpointer.flush(len(script) * VAD_WINDOW)
    utterances += [last] if last else []
    speech = {place for place, probability in enumerate(script) if probability >= STEADY.onset}
    holders = {
        place: [u for u in utterances if u.start <= place * VAD_WINDOW and (place + 1) * VAD_WINDOW <= u.end]
        for place in speech
    }
    assert {len(found) for found in holders.values()} <= {1}


@given(probabilities)
def test_utterances_are_in_order_bounded_and_hardly_overlap(script: list[float]) -> None:
    utterances = cut(Endpointer(STEADY), script)
    assert all(u.end - u.start <= STEADY.cap * SAMPLE_RATE + VAD_WINDOW for u in utterances)
    for before, after in pairwise(utterances):
        assert before.start < after.start
        assert before.end - after.start <= STEADY.overlap * SAMPLE_RATE


@given(probabilities, st.data())
def test_the_boundary_is_all_that_going_on_takes(script: list[float], data: st.DataObject) -> None:
    endpointer = Endpointer(STEADY)
    boundaries, expected = [Boundary()], []
    for probability in script:
        utterance = endpointer.push(probability)
        if utterance:
            expected.append((endpointer.window, utterance))
        if utterance or endpointer.start is None:
            boundaries.append(endpointer.boundary)
    boundary = data.draw(st.sampled_from(boundaries))
    resumed = Endpointer(STEADY, boundary)
    later = [utterance for closed, utterance in expected if closed > boundary.window]
    assert cut(resumed, script[boundary.window :]) == later
