"""A meeting's voices in its worker: what is heard, when it is told, and who is known again after a crash."""

from __future__ import annotations

import numpy as np
import pytest

from inference.audio import SAMPLE_RATE
from inference.diarization.local_speakers import CELL
from inference.diarization.turns import SpeakerTurn, SpeakerTurns
from meetings.worker.speaker_track import ResumeState, SpeakerTrack, match_known_speakers
from tests.inference.diarization.doubles import ScriptedListener, clock

ANA, BEN = "S0", "S1"
"""The script's persons; the tracker numbers them as they appear."""

SCRIPT = [SpeakerTurn(0.0, 20.0, ANA), SpeakerTurn(20.0, 40.0, BEN), SpeakerTurn(40.0, 60.0, ANA)]


def hear(track: SpeakerTrack, first_s: float, last_s: float, *, step_s: float = 0.1) -> None:
    sound = clock(last_s)
    step = round(step_s * SAMPLE_RATE)
    for start in range(round(first_s * SAMPLE_RATE), len(sound), step):
        track.hear(sound[start : start + step], start)


def listen(track: SpeakerTrack, listener: ScriptedListener) -> list[SpeakerTurns]:
    news = []
    while track.listen(listener):
        found = track.take_news()
        if found:
            news.append(found)
    return news


def speaker_at(known: SpeakerTurns, second: float) -> set[str | None]:
    return {turn.speaker for turn in known.turns if turn.start <= second < turn.end}


def test_news_hold_all_turns_and_say_from_where_on_they_are_new() -> None:
    track = SpeakerTrack(ResumeState(), None)
    hear(track, 0, 30)
    news = listen(track, ScriptedListener(SCRIPT))
    assert [found.start for found in news] == sorted(found.start for found in news)
    assert (speaker_at(news[-1], 5), speaker_at(news[-1], 25)) == ({"S1"}, {"S2"})
    assert 25 < news[-1].end <= 30


def test_a_rest_labels_to_the_last_sample() -> None:
    track, listener = SpeakerTrack(ResumeState(), None), ScriptedListener(SCRIPT)
    hear(track, 0, 12)
    track.rest()
    assert listen(track, listener)[-1].end == 12
    hear(track, 12, 30)
    assert speaker_at(listen(track, listener)[-1], 25) == {"S2"}, "and it goes on after that"


def test_the_end_judges_everything_and_forgets_the_voices() -> None:
    track = SpeakerTrack(ResumeState(), None)
    hear(track, 0, 60)
    track.rest()
    listen(track, ScriptedListener(SCRIPT))
    whole = track.conclude()
    assert whole is not None
    assert (whole.start, whole.end) == (0, 60)
    assert [speaker_at(whole, second) for second in (5, 25, 55)] == [{"S1"}, {"S2"}, {"S1"}]
    assert not _prints(track)


def test_captions_that_come_after_their_labels_are_told_of_them() -> None:
    track = SpeakerTrack(ResumeState(), None)
    hear(track, 0, 12)
    last = listen(track, ScriptedListener(SCRIPT))[-1]
    assert track.take_news() is None
    track.ask_again()
    again = track.take_news()
    assert again == SpeakerTurns(last.end, last.end, last.turns)


def test_a_worker_that_takes_over_knows_the_voices_again() -> None:
    lines = (SpeakerTurn(21.0, 29.0, "S4"), SpeakerTurn(41.0, 44.0, "S2"))
    track, listener = SpeakerTrack(ResumeState(speakers=5, turns=lines), None), ScriptedListener(SCRIPT)
    hear(track, 20.005, 42)
    assert listen(track, listener) == [], "nobody is named before the labelled lines are heard again"
    hear(track, 42, 58)
    news = listen(track, listener)
    assert news[0].start == 44.0, "what is labelled stays"
    assert [speaker_at(news[-1], second) for second in (25, 50)] == [{"S4"}, {"S2"}]


def test_a_stranger_after_a_crash_gets_a_number_of_their_own() -> None:
    memory = ResumeState(speakers=5, turns=(SpeakerTurn(21.0, 29.0, "S4"),))
    track = SpeakerTrack(memory, None)
    hear(track, 20, 58)
    track.rest()
    news = listen(track, ScriptedListener(SCRIPT))
    assert [speaker_at(news[-1], second) for second in (25, 50)] == [{"S4"}, {"S7"}]


def test_a_meeting_that_ends_right_after_a_crash() -> None:
    memory = ResumeState(speakers=5, turns=(SpeakerTurn(21.0, 29.0, "S4"),))
    track = SpeakerTrack(memory, None)
    hear(track, 20, 28)
    track.rest()
    listen(track, ScriptedListener(SCRIPT))
    whole = track.conclude()
    assert whole is not None
    assert speaker_at(whole, 25) == {"S4"}


def test_silence_stands_for_lost_sound() -> None:
    track = SpeakerTrack(ResumeState(), None)
    hear(track, 0, 18)
    hear(track, 22, 40)
    track.rest()
    last = listen(track, ScriptedListener(SCRIPT))[-1]
    assert (speaker_at(last, 5), speaker_at(last, 30), last.end) == ({"S1"}, {"S2"}, 40), "all in its place"


def test_nothing_heard_nothing_told() -> None:
    track = SpeakerTrack(ResumeState(), None)
    track.rest()
    track.ask_again()
    assert (track.listen(ScriptedListener(SCRIPT)), track.take_news(), track.conclude()) == (False, None, None)


@pytest.mark.parametrize("expected", [1, 3])
def test_the_host_says_how_many_speak(expected: int) -> None:
    track = SpeakerTrack(ResumeState(), None)
    track.expect(expected)
    hear(track, 0, 60)
    track.rest()
    listen(track, ScriptedListener(SCRIPT))
    whole = track.conclude()
    assert whole is not None
    assert {turn.speaker for turn in whole.turns} == ({"S1"} if expected == 1 else {"S1", "S2"})


def test_each_known_speaker_is_one_voice_again() -> None:
    turns = [
        SpeakerTurn(0, 10, "S7"),
        SpeakerTurn(10, 14, "S8"),
        SpeakerTurn(14, 14.5, "S9"),
        SpeakerTurn(20, 30, None),
    ]
    lines = [SpeakerTurn(0, 12, "S1"), SpeakerTurn(12, 14, "S2"), SpeakerTurn(14, 30, "S3")]
    assert match_known_speakers(turns, lines) == {"S7": "S1", "S8": "S2"}


def _prints(track: SpeakerTrack) -> list[np.ndarray]:
    """Every float array of a print's size that can be reached from the track."""
    found: list[np.ndarray] = []
    seen: set[int] = set()
    todo: list[object] = [track]
    while todo:
        thing = todo.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, np.ndarray):
            found += [thing] if thing.dtype.kind == "f" and 0 < thing.size < CELL else []
        elif isinstance(thing, dict):
            todo += [*thing.values()]
        elif isinstance(thing, (list, tuple, set)) or type(thing).__name__ == "deque":
            todo += list(thing)  # type: ignore[call-overload]
        elif type(thing).__module__.startswith(("inference", "meetings")):
            names = [*getattr(thing, "__dict__", {}), *getattr(type(thing), "__slots__", ())]
            todo += [getattr(thing, name) for name in names if hasattr(thing, name)]
    return found
