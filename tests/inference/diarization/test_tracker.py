from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.audio import SAMPLE_RATE
from inference.diarization.clustering import SpeakerHint
from inference.diarization.tracker import LATENCY_S, SpeakerTracker, cut_turns
from inference.diarization.turns import SpeakerTurn, SpeakerTurns
from inference.diarization.voices import CELL, Listener
from tests.inference.diarization.doubles import ScriptedListener, clock
from tests.inference.diarization.meetings import Meeting, confusion

SCRIPT = (SpeakerTurn(1.0, 6.0, "S1"), SpeakerTurn(7.5, 12.0, "S2"), SpeakerTurn(15.0, 21.0, "S1"))


def track(samples: np.ndarray, listener: Listener, *, block: int = SAMPLE_RATE) -> list[SpeakerTurns]:
    """All that a tracker says about `samples`, fed in blocks."""
    tracker, said = SpeakerTracker(), []
    for first in range(0, len(samples), block):
        tracker.feed(samples[first : first + block])
        said += listened(tracker, listener)
    return said + listened(tracker, listener, is_end=True)


def listened(tracker: SpeakerTracker, listener: Listener, *, is_end: bool = False) -> list[SpeakerTurns]:
    said = []
    while request := tracker.request(is_end=is_end):
        told = tracker.accept(request, listener.listen(request.audio), is_end=is_end)
        said += [told] if told else []
    return said


def joined(said: Sequence[SpeakerTurns]) -> list[SpeakerTurn]:
    """The turns as somebody knows them who took in all that was said, cut ends joined again."""
    known: list[SpeakerTurn] = []
    for told in said:
        known = [*cut_turns(SpeakerTurns(0.0, told.start, tuple(known)), 0.0).turns, *told.turns]
    whole: dict[tuple[str | None, float], SpeakerTurn] = {}
    for turn in known:
        before = whole.pop((turn.speaker, turn.start), None)
        start = before.start if before else turn.start
        whole[turn.speaker, turn.end] = SpeakerTurn(start, turn.end, turn.speaker)
    return sorted(whole.values(), key=lambda turn: turn.start)


def test_the_script_comes_out_and_a_returning_voice_has_its_id() -> None:
    assert joined(track(clock(25), ScriptedListener(SCRIPT))) == list(SCRIPT)


def test_a_moment_is_labelled_two_seconds_later() -> None:
    tracker, listener = SpeakerTracker(), ScriptedListener(SCRIPT)
    tracker.feed(clock(4))
    last = listened(tracker, listener)[-1]
    assert (last.end, tracker.labelled_s) == (4 - LATENCY_S, 4 - LATENCY_S)
    assert last.turns == (SpeakerTurn(1.0, 2.0, "S1"),)


def test_at_the_end_all_is_labelled_up_to_the_last_sample() -> None:
    assert track(clock(5.5), ScriptedListener(SCRIPT))[-1].end == 5.5


def test_after_a_pause_it_goes_on_and_takes_nothing_back() -> None:
    tracker, listener = SpeakerTracker(), ScriptedListener(SCRIPT)
    tracker.feed(clock(5.5))
    said = listened(tracker, listener) + listened(tracker, listener, is_end=True)
    assert tracker.labelled_s == 5.5
    tracker.feed(clock(25)[round(5.5 * SAMPLE_RATE) :])
    said += listened(tracker, listener) + listened(tracker, listener, is_end=True)
    assert [told.end for told in said] == sorted(told.end for told in said)
    assert joined(said) == list(SCRIPT)


def test_what_was_too_short_to_know_is_named_later() -> None:
    """The first half second of a voice is unsure until the voice is known."""
    listener = ScriptedListener((SpeakerTurn(1.2, 1.9, "S1"), SpeakerTurn(4.5, 8.0, "S1")))
    said = track(clock(12), listener)
    assert {turn.speaker for told in said if told.end <= 3.0 for turn in told.turns} == {None}
    assert joined(said) == [SpeakerTurn(1.2, 1.9, "S1"), SpeakerTurn(4.5, 8.0, "S1")]


@settings(max_examples=20)
@given(st.integers(100, 3 * SAMPLE_RATE))
def test_turns_do_not_depend_on_the_blocks(block: int) -> None:
    samples = clock(12)
    assert track(samples, ScriptedListener(SCRIPT), block=block) == track(samples, ScriptedListener(SCRIPT))


def test_hours_need_no_more_memory_than_seconds() -> None:
    tracker, listener = SpeakerTracker(), ScriptedListener(SCRIPT)
    for first in range(120):
        tracker.feed(clock(120)[first * SAMPLE_RATE : (first + 1) * SAMPLE_RATE])
        listened(tracker, listener)
    assert tracker._buffer.end - tracker._buffer.start <= 10 * SAMPLE_RATE
    assert len(tracker._windows) == 10


def test_a_tracker_that_goes_on_elsewhere_gives_no_id_twice() -> None:
    tracker = SpeakerTracker(start=20 * SAMPLE_RATE, first_number=2)
    tracker.feed(clock(32)[20 * SAMPLE_RATE :])
    said = listened(tracker, ScriptedListener([SpeakerTurn(20.0, 30.0, "S5")]))
    assert said[0].start == 20.0
    assert {turn.speaker for told in said for turn in told.turns} == {"S3"}
    assert tracker.speakers == 1


def test_the_hint_bounds_the_speakers() -> None:
    tracker = SpeakerTracker(SpeakerHint(maximum=1))
    tracker.feed(clock(25))
    listened(tracker, ScriptedListener(SCRIPT))
    assert tracker.speakers == 1


def test_windows_come_in_order() -> None:
    tracker, listener = SpeakerTracker(), ScriptedListener(SCRIPT)
    tracker.feed(clock(3))
    request = tracker.request()
    assert request is not None
    tracker.accept(request, listener.listen(request.audio))
    with pytest.raises(ValueError, match="comes next"):
        tracker.accept(request, ())


def test_a_start_between_cells_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple"):
        SpeakerTracker(start=CELL + 1)


@pytest.mark.xdist_group("voices")
def test_two_real_voices_are_told_apart_live(two_voices: Meeting, listener: Listener) -> None:
    turns = joined(track(two_voices.samples, listener))
    assert {turn.speaker for turn in turns} - {None} == {"S1", "S2"}
    assert confusion(two_voices.turns, turns) <= 0.10
