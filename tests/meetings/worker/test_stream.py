"""One meeting as its worker holds it: marks of other versions, two threads at its queues."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from inference.audio import SAMPLE_RATE, float_to_pcm16
from inference.speech.resume_state import Checkpoint
from meetings.broker.audio_log import AudioEntry
from meetings.models import Meeting
from meetings.worker.speaker_track import ResumeState
from meetings.worker.stream import MeetingStream, TurnResult

FRAME = SAMPLE_RATE // 10
SILENCE = float_to_pcm16(np.zeros(FRAME, np.float32))


def frames(first: int, count: int) -> list[AudioEntry]:
    return [AudioEntry(f"{number + 1}-0".encode(), number * FRAME, SILENCE) for number in range(first, first + count)]


@pytest.fixture
def stream() -> MeetingStream:
    return MeetingStream(Meeting(title="Budget"), ResumeState())


def test_a_mark_of_a_later_version_changes_nothing(stream: MeetingStream) -> None:
    twin = MeetingStream(Meeting(title="Budget"), ResumeState())
    mark = AudioEntry(b"5-1", 5 * FRAME, b"", mark="applause", value="loud")
    stream.read([*frames(0, 5), mark, *frames(5, 5)])
    twin.read(frames(0, 10))
    found, expected = TurnResult(), TurnResult()
    stream.take_in(found)
    twin.take_in(expected)
    assert found.marks == []
    assert found == expected
    assert stream.session.received == twin.session.received == 10 * FRAME
    assert not stream.has_work


def test_words_are_sealed_as_the_log_says(stream: MeetingStream) -> None:
    assert stream.session.is_sealing
    for number, value in ((5, "off"), (10, "on")):
        stream.read([*frames(number - 5, 5), AudioEntry(f"{number}-1".encode(), number * FRAME, b"", "sealing", value)])
        stream.take_in(TurnResult())
        assert stream.session.is_sealing == (value == "on")


@pytest.mark.parametrize(("cursor", "missing"), [(10.5, 0), (10, 0), (9.5, 0.5), (9, 1)])
def test_only_what_was_not_captioned_is_missing(cursor: float, missing: float) -> None:
    """A broker that came back short has not the last frame before the cursor, which a session would hear again."""
    checkpoint = Checkpoint.at(9 * FRAME).dumps()
    stream = MeetingStream(Meeting(title="Budget", cursor=int(cursor * FRAME), checkpoint=checkpoint), ResumeState())
    stream.read(frames(10, 2))
    found = TurnResult()
    stream.take_in(found)
    assert (found.missing, stream.session.received) == (missing * FRAME, 12 * FRAME)


def marked(name: str, number: int, *, after: int, value: str = "") -> AudioEntry:
    return AudioEntry(f"{after}-{number}".encode(), after * FRAME, b"", mark=name, value=value)


def test_of_marks_without_sound_between_them_the_last_of_a_kind_counts(stream: MeetingStream) -> None:
    """A host that pressed Pause and Resume in a loop kept every other meeting of its worker waiting."""
    flood = [marked(("pause", "resume")[number % 2], number, after=5) for number in range(1_000)]
    flood += [marked("language", number, after=5, value=("pt", "en")[number % 2]) for number in range(1_000, 2_000)]
    later = marked("pause", 0, after=6)
    stream.read([*frames(0, 5), *flood, *frames(5, 1), later])
    found = TurnResult()
    stream.take_in(found)
    assert [(mark.mark, mark.value, mark.sample // FRAME) for mark in found.marks] == [
        ("resume", "", 5),
        ("language", "en", 5),
        ("pause", "", 6),
    ]


def test_marks_of_a_meeting_without_sound_are_not_kept(stream: MeetingStream) -> None:
    stream.read([marked("pause", 0, after=0), marked("resume", 1, after=0)])
    assert stream.forgettable_marks() is None, "nothing is obeyed yet"
    stream.take_in(TurnResult())
    assert stream.forgettable_marks() == b"0-1"
    stream.read(frames(0, 1))
    stream.take_in(TurnResult())
    assert stream.forgettable_marks() is None, "with sound the log is trimmed by what is captioned"


def test_a_wish_for_translations_is_kept_for_the_next_worker(stream: MeetingStream) -> None:
    """A line of a meeting that is over was corrected: only the log says into which languages it is translated again."""
    stream.read([marked("translate", 0, after=0, value="pt"), marked("end", 1, after=0)])
    stream.take_in(TurnResult())
    assert stream.forgettable_marks() is None


def test_sound_is_needed_until_it_is_recorded() -> None:
    kept = MeetingStream(Meeting(title="Budget", keep_recording=True), ResumeState())
    kept.read(frames(0, 1200))
    kept.take_in(TurnResult())
    kept.session.flush()
    progress = kept.session.progress()
    assert progress is not None
    assert progress.position == 1200 * FRAME
    assert kept.forgettable(progress) is None
    kept.recorded_until = 100 * FRAME
    assert kept.forgettable(progress) == b"101-0", "as far as it is recorded"
    kept.recorded_until = 1200 * FRAME
    assert kept.forgettable(progress) == b"601-0", "and a minute stays for the voices"


def test_two_threads_may_use_the_queues(stream: MeetingStream) -> None:
    """The event loop reads, asks and copies while the device's thread takes in."""
    count, errors = 600, []

    def device() -> None:
        try:
            while stream.session.received < count * FRAME:
                stream.take_in(TurnResult())
        except (RuntimeError, IndexError) as error:  # as a deque raises that changes under its reader
            errors.append(error)

    thread = threading.Thread(target=device)
    thread.start()
    for first in range(0, count, 100):
        stream.read(frames(first, 100))
        while thread.is_alive() and stream.has_work:
            assert stream.wants_more in (True, False)
            stream.kept(0, stream.session.received)
    thread.join(60)
    assert errors == []
    assert stream.session.received == count * FRAME
