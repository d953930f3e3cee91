from __future__ import annotations

import gc
import weakref
from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.audio import SAMPLE_RATE
from inference.diarization.clustering import SpeakerHint
from inference.diarization.local_speakers import CELL, WINDOW_CELLS, Listener, LocalVoice
from inference.diarization.tracker import LATENCY_S, LIVE_STEP, MAX_HISTORY, SpeakerTracker, cut_turns
from inference.diarization.turns import CELL_S, SpeakerTurn, SpeakerTurns
from tests.inference.diarization.doubles import ScriptedListener, clock, print_of
from tests.inference.diarization.meetings import Meeting, confusion

SCRIPT = (SpeakerTurn(1.0, 6.0, "S1"), SpeakerTurn(7.5, 12.0, "S2"), SpeakerTurn(15.0, 21.0, "S1"))
STEP_S = LIVE_STEP / SAMPLE_RATE


def track(
    tracker: SpeakerTracker, samples: np.ndarray, listener: Listener, *, block: int = SAMPLE_RATE
) -> list[SpeakerTurns]:
    """All that `tracker` says about `samples`, fed in blocks."""
    said = []
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


def joined(said: Iterable[SpeakerTurns]) -> list[SpeakerTurn]:
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


def names(turns: Sequence[SpeakerTurn]) -> set[str | None]:
    return {turn.speaker for turn in turns}


# While the meeting runs ----------------------------------------------------------------------------------------------


def test_the_script_comes_out_and_a_returning_voice_has_its_id() -> None:
    assert joined(track(SpeakerTracker(), clock(25), ScriptedListener(SCRIPT))) == list(SCRIPT)


def test_a_moment_is_labelled_two_seconds_later_on_average() -> None:
    tracker, listener = SpeakerTracker(), ScriptedListener(SCRIPT)
    tracker.feed(clock(4.99))
    told = listened(tracker, listener)
    tracker.feed(clock(5.0)[-SAMPLE_RATE // 100 :])
    assert len(told) == 1
    assert listened(tracker, listener) != []
    assert tracker.labelled_s == 5.0 - LATENCY_S
    assert abs(LATENCY_S + STEP_S / 2 - 2.0) <= CELL_S
    assert tracker.turns().turns == (SpeakerTurn(1.0, 5.0 - LATENCY_S, "S1"),)


@pytest.mark.parametrize("seconds", [5.0, 5.5])
def test_at_the_end_all_is_labelled_up_to_the_last_sample(seconds: float) -> None:
    assert track(SpeakerTracker(), clock(seconds), ScriptedListener(SCRIPT))[-1].end == seconds


def test_after_a_pause_it_goes_on_and_takes_nothing_back() -> None:
    tracker, listener = SpeakerTracker(), ScriptedListener(SCRIPT)
    said = track(tracker, clock(5.5), listener)
    assert tracker.labelled_s == 5.5
    said += track(tracker, clock(25)[round(5.5 * SAMPLE_RATE) :], listener)
    assert [told.end for told in said] == sorted(told.end for told in said)
    assert joined(said) == list(SCRIPT)


def test_what_was_too_short_to_know_is_named_later() -> None:
    """The first half second of a voice is unsure until the voice is known."""
    listener = ScriptedListener((SpeakerTurn(1.2, 1.7, "S1"), SpeakerTurn(5.5, 8.0, "S1")))
    said = track(SpeakerTracker(), clock(12), listener)
    assert {turn.speaker for told in said if told.end <= 4.5 for turn in told.turns} == {None}
    assert joined(said) == [SpeakerTurn(1.2, 1.7, "S1"), SpeakerTurn(5.5, 8.0, "S1")]


@settings(max_examples=20)
@given(st.integers(100, 3 * SAMPLE_RATE))
def test_turns_do_not_depend_on_the_blocks(block: int) -> None:
    samples = clock(12)
    expected = track(SpeakerTracker(), samples, ScriptedListener(SCRIPT))
    assert track(SpeakerTracker(), samples, ScriptedListener(SCRIPT), block=block) == expected


def test_a_tracker_that_goes_on_elsewhere_gives_no_id_twice() -> None:
    tracker = SpeakerTracker(start=20 * SAMPLE_RATE, first_number=2)
    said = track(tracker, clock(32)[20 * SAMPLE_RATE :], ScriptedListener([SpeakerTurn(20.0, 30.0, "S5")]))
    assert said[0].start == 20.0
    assert {turn.speaker for told in said for turn in told.turns} == {"S3"}
    assert (tracker.speakers, tracker.next_number) == (1, 3)


def test_the_hint_bounds_the_speakers() -> None:
    tracker = SpeakerTracker(SpeakerHint(maximum=1))
    track(tracker, clock(25), ScriptedListener(SCRIPT))
    assert tracker.speakers == 1


def test_a_hint_given_later_holds_from_then_on() -> None:
    script = (*SCRIPT, SpeakerTurn(22.0, 28.0, "S3"))
    tracker = SpeakerTracker(SpeakerHint(maximum=1))
    listener = ScriptedListener(script)
    said = track(tracker, clock(15), listener)
    assert tracker.speakers == 1
    tracker.hint = SpeakerHint()
    said += track(tracker, clock(30)[15 * SAMPLE_RATE :], listener)
    assert tracker.speakers == 3
    assert joined(said)[-1] == SpeakerTurn(22.0, 28.0, "S3")


def test_only_the_window_that_was_asked_for_is_taken() -> None:
    tracker, listener = SpeakerTracker(), ScriptedListener(SCRIPT)
    tracker.feed(clock(3))
    request = tracker.request()
    assert request is not None
    tracker.accept(request, listener.listen(request.audio))
    with pytest.raises(ValueError, match="asked for"):
        tracker.accept(request, ())


def test_a_start_between_cells_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple"):
        SpeakerTracker(start=CELL + 1)


# Behind --------------------------------------------------------------------------------------------------------------


def test_who_is_behind_hears_all_in_a_quarter_of_the_windows() -> None:
    tracker, listener = SpeakerTracker(), ScriptedListener(SCRIPT)
    tracker.feed(clock(42.5))
    assert tracker.waiting_s == 42.5
    said = listened(tracker, listener)
    assert listener.windows == 4 + 1  # up to 40 s, then the next whole step
    assert tracker.waiting_s == 0
    assert joined(said) == list(SCRIPT)
    assert [told.start for told in said[1:]] == [told.end for told in said[:-1]]


def test_who_is_far_behind_loses_the_oldest_audio_and_says_nothing_of_it() -> None:
    tracker = SpeakerTracker()
    listener = ScriptedListener((SpeakerTurn(0.0, 5.0, "S1"), SpeakerTurn(50.0, 200.0, "S1")))
    said = track(tracker, clock(5), listener)
    tracker.feed(clock(180)[5 * SAMPLE_RATE :])
    assert tracker.waiting_s == 60.0
    assert tracker._buffer.end - tracker._buffer.start <= 70 * SAMPLE_RATE
    said += listened(tracker, listener, is_end=True)
    assert joined(said) == [SpeakerTurn(0.0, 5.0, "S1"), SpeakerTurn(120.0, 180.0, "S1")]


def test_a_window_that_comes_back_late_is_still_taken() -> None:
    tracker, listener = SpeakerTracker(), ScriptedListener(SCRIPT)
    tracker.feed(clock(5))
    request = tracker.request()
    assert request is not None
    tracker.feed(clock(100)[5 * SAMPLE_RATE :])
    tracker.accept(request, listener.listen(request.audio))
    assert tracker.waiting_s == 60.0


def test_hours_hold_little_memory() -> None:
    tracker, listener = SpeakerTracker(), ScriptedListener(SCRIPT)
    samples = clock(120)
    for first in range(120):
        tracker.feed(samples[first * SAMPLE_RATE : (first + 1) * SAMPLE_RATE])
        listened(tracker, listener)
    assert tracker._buffer.end - tracker._buffer.start <= 10 * SAMPLE_RATE
    assert len(tracker._windows) == 4
    assert len(tracker._history) == 48
    assert tracker._history._windows.maxlen == MAX_HISTORY


# The end of the meeting ----------------------------------------------------------------------------------------------


def test_the_end_gives_all_turns_under_the_same_ids() -> None:
    tracker = SpeakerTracker(first_number=4)
    track(tracker, clock(25), ScriptedListener(SCRIPT))
    renamed = {"S1": "S5", "S2": "S6"}
    expected = tuple(SpeakerTurn(turn.start, turn.end, renamed[turn.speaker or ""]) for turn in SCRIPT)
    assert tracker.conclude() == SpeakerTurns(0.0, 25.0, expected)


def test_the_end_joins_who_was_divided_under_the_id_that_was_told_longest() -> None:
    """A voice drifts so far that it was taken for a second one."""
    tracker = SpeakerTracker()
    for tilt in (0.0, 1.2, 1.4):
        tracker.feed(clock(2.5))
        request = tracker.request()
        assert request is not None
        tracker.accept(request, (LocalVoice(np.ones(WINDOW_CELLS, bool), print_of(1, tilt=tilt), 3.0),))
    assert tracker.speakers == 2
    assert tracker.conclude(SpeakerHint(1, 1)).turns == (SpeakerTurn(0.0, 7.5, "S2"),)


def test_somebody_found_at_the_end_gets_a_number_that_nobody_had() -> None:
    """Live only one speaker was allowed, so the second one was not named."""
    tracker = SpeakerTracker(SpeakerHint(maximum=1), first_number=1)
    track(tracker, clock(25), ScriptedListener(SCRIPT))
    assert tracker.next_number == 2
    concluded = tracker.conclude(SpeakerHint())
    assert [turn.speaker for turn in concluded.turns] == ["S2", "S3", "S2"]


def test_a_meeting_of_nobody_ends_without_turns() -> None:
    assert SpeakerTracker().conclude() == SpeakerTurns(0.0, 0.0, ())
    tracker = SpeakerTracker(start=20 * SAMPLE_RATE)
    tracker.feed(np.zeros(10 * SAMPLE_RATE, np.float32))
    request = tracker.request()
    assert request is not None
    tracker.accept(request, ())
    assert tracker.conclude() == SpeakerTurns(20.0, 22.5, ())


@pytest.mark.parametrize("end", [SpeakerTracker.conclude, SpeakerTracker.forget])
def test_no_voice_and_no_sound_outlives_the_meeting(end: object) -> None:
    tracker = SpeakerTracker()
    prints: list[weakref.ref[np.ndarray]] = []
    listener = ScriptedListener(SCRIPT)
    for _ in range(4):
        tracker.feed(clock(2.5))
        request = tracker.request()
        assert request is not None
        voices = listener.listen(clock(10))
        prints += [weakref.ref(voice.print) for voice in voices if voice.print is not None]
        tracker.accept(request, voices)
    del voices, request
    gc.collect()
    assert any(known() is not None for known in prints)
    assert callable(end)
    end(tracker)
    gc.collect()
    assert [known() for known in prints] == [None] * len(prints)
    assert len(tracker._history) == len(tracker._windows) == tracker.speakers == 0
    assert tracker._buffer.start == tracker._buffer.end == tracker.received


def test_after_all_is_forgotten_a_voice_is_a_stranger() -> None:
    tracker, listener = SpeakerTracker(), ScriptedListener((SpeakerTurn(0.0, 40.0, "S1"),))
    track(tracker, clock(20), listener)
    tracker.forget()
    said = track(tracker, clock(30)[20 * SAMPLE_RATE :], listener)
    assert joined(said) == [SpeakerTurn(20.0, 30.0, "S2")]


# Real voices ---------------------------------------------------------------------------------------------------------


@pytest.mark.xdist_group("voices")
@pytest.mark.parametrize(
    ("meeting", "found"),
    [
        ("two_voices", {2}),
        pytest.param("four_voices", {4}, marks=pytest.mark.long),
        # One reader's first word may be a stranger's.
        pytest.param("eight_voices", {8, 9}, marks=pytest.mark.long),
    ],
)
def test_real_voices_are_told_apart_live_and_at_the_end(
    meeting: str, found: set[int], request: pytest.FixtureRequest, listener: Listener
) -> None:
    spoken: Meeting = request.getfixturevalue(meeting)
    tracker = SpeakerTracker()
    told = joined(track(tracker, spoken.samples, listener))
    concluded = tracker.conclude().turns
    assert len(names(told) - {None}) in found
    assert len(names(concluded)) in found
    assert confusion(spoken.turns, told) <= 0.10
    assert confusion(spoken.turns, concluded) <= 0.10
