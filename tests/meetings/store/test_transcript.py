from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from inference.types import FinalCaption, Progress, Word
from meetings.models import Caption, Meeting, State
from meetings.store.transcript import (
    Lease,
    LeaseLost,
    NoSuchMeeting,
    add_missing,
    changes_after,
    commit,
    last_seq,
    release_lease,
    set_language,
    set_state,
    store_recorded_until,
    take_lease,
)

pytestmark = pytest.mark.django_db


def final(start: float, text: str) -> FinalCaption:
    words = tuple(Word(start + n, start + n + 0.5, word, 0.9) for n, word in enumerate(text.split()))
    return FinalCaption(f"{int(start * 16_000):012d}", start, start + 2, text, "en", words)


@pytest.fixture
def lease() -> Lease:
    meeting = take_lease(Meeting.objects.create(title="Budget").pk)
    return Lease(meeting.pk, meeting.lease_epoch)


def stored(lease: Lease) -> list[tuple[int, int, str]]:
    rows = changes_after(lease.meeting_id, 0, limit=100)
    return [(row.seq, row.revision, row.text) for row in rows]


def test_finals_and_cursor_are_stored_together(lease: Lease) -> None:
    assert commit(lease, [final(0, "good morning"), final(3, "everyone")], Progress(80_000, "there")) == 2
    meeting = Meeting.objects.get()
    assert (meeting.cursor, meeting.checkpoint, meeting.last_seq) == (80_000, "there", 2)
    assert stored(lease) == [(1, 0, "good morning"), (2, 0, "everyone")]
    assert Caption.objects.get(seq=1).words[0] == {"start": 0, "end": 0.5, "text": "good", "probability": 0.9}


def test_storing_the_same_again_changes_nothing(lease: Lease) -> None:
    finals = [final(0, "good morning")]
    assert (commit(lease, finals, None), commit(lease, finals, None)) == (1, 1)
    assert stored(lease) == [(1, 0, "good morning")]


def test_a_changed_final_is_a_revision_at_the_end_of_the_series(lease: Lease) -> None:
    commit(lease, [final(0, "good mourning"), final(3, "everyone")], None)
    assert commit(lease, [final(0, "good morning")], None) == 3
    assert stored(lease) == [(2, 0, "everyone"), (3, 1, "good morning")]


def test_a_fenced_off_worker_stores_nothing(lease: Lease) -> None:
    take_lease(lease.meeting_id)
    with pytest.raises(LeaseLost):
        commit(lease, [final(0, "too late")], Progress(80_000, "there"))
    meeting = Meeting.objects.get()
    assert (stored(lease), meeting.cursor, meeting.last_seq) == ([], 0, 0)


def test_a_deleted_meeting_is_nobodys(lease: Lease) -> None:
    Meeting.objects.all().delete()
    with pytest.raises(LeaseLost):
        commit(lease, [final(0, "too late")], None)
    with pytest.raises(NoSuchMeeting):
        take_lease(lease.meeting_id)
    assert last_seq(lease.meeting_id) == 0


def test_reading_pages_through_the_series(lease: Lease) -> None:
    commit(lease, [final(n, f"line {n}") for n in range(5)], None)
    assert [row.seq for row in changes_after(lease.meeting_id, 1, limit=2)] == [2, 3]


def test_states_change_once_and_leave_their_times(lease: Lease) -> None:
    assert set_state(lease, State.LIVE)
    assert not set_state(lease, State.LIVE)
    started_at = Meeting.objects.get().started_at
    assert set_state(lease, State.PAUSED)
    assert set_state(lease, State.LIVE)
    assert set_state(lease, State.ENDED)
    meeting = Meeting.objects.get()
    assert started_at is not None
    assert meeting.started_at == started_at
    assert meeting.ended_at is not None
    assert meeting.ended_at > started_at


@pytest.mark.parametrize(
    "write",
    [
        lambda lease: set_state(lease, State.ENDED),
        lambda lease: set_state(lease, State.LIVE),
        lambda lease: set_language(lease, "pt"),
        lambda lease: store_recorded_until(lease, 16_000),
        lambda lease: commit(lease, [], None, missing_s=1.0),
    ],
)
def test_a_worker_that_was_fenced_off_changes_nothing_of_the_meeting(lease: Lease, write: Any) -> None:
    take_lease(lease.meeting_id)
    before = Meeting.objects.values().get()
    with pytest.raises(LeaseLost):
        write(lease)
    assert Meeting.objects.values().get() == before


def test_a_meeting_that_has_ended_stays_ended(lease: Lease) -> None:
    assert set_state(lease, State.ENDED)
    assert not set_state(lease, State.LIVE)
    assert Meeting.objects.get().state == State.ENDED


def test_a_lease_is_noted_until_it_is_given_back(lease: Lease) -> None:
    assert Meeting.objects.get().is_leased
    release_lease(lease)
    assert not Meeting.objects.get().is_leased
    assert not take_lease(lease.meeting_id).is_leased, "as it was before"
    release_lease(lease)
    assert Meeting.objects.get().is_leased, "who was fenced off gives nothing back"


def test_missing_seconds_add_up(lease: Lease) -> None:
    add_missing(lease.meeting_id, 1.5)
    add_missing(lease.meeting_id, 2.0)
    assert Meeting.objects.get().missing_s == 3.5


@pytest.mark.parametrize("odd", [float("nan"), float("inf")])
def test_what_no_database_takes_does_not_stop_a_caption(lease: Lease, odd: float) -> None:
    """Refused, it would be tried again and again, and everything behind it would wait."""
    words = (Word(0.0, 0.5, "Good\0", odd), Word(0.5, 1.0, "morning.", 0.9))
    finals = [FinalCaption("000000000000", 0.0, 1.0, "Good\0 morning.", "en", words)]
    seq = commit(lease, finals, None)
    caption = Caption.objects.get()
    assert caption.text == "Good morning."
    assert [(word["text"], word["probability"]) for word in caption.words] == [("Good", 0.0), ("morning.", 0.9)]
    assert commit(lease, finals, None) == seq, "storing it twice changes nothing"


def spoken(text: str) -> FinalCaption:
    """The caption while it is still being spoken."""
    return replace(final(0, text), is_open=True)


def test_an_open_caption_grows_and_is_closed(lease: Lease) -> None:
    for text in ("good", "good morning"):
        commit(lease, [spoken(text)], None)
    assert Caption.objects.get().is_open
    commit(lease, [final(0, "good morning all")], None)
    assert stored(lease) == [(3, 2, "good morning all")]
    assert not Caption.objects.get().is_open


def test_closing_without_another_word_is_a_revision(lease: Lease) -> None:
    commit(lease, [spoken("good morning")], None)
    commit(lease, [final(0, "good morning")], None)
    assert (stored(lease), Caption.objects.get().is_open) == ([(2, 1, "good morning")], False)


def test_a_worker_that_resumes_repeats_sealed_words_without_effect(lease: Lease) -> None:
    commit(lease, [spoken("good morning")], None)
    for text in ("good", "good morning"):
        commit(lease, [spoken(text)], None)
    assert stored(lease) == [(1, 0, "good morning")]
    commit(lease, [final(0, "good morning all")], None)
    commit(lease, [spoken("good")], None)
    assert (stored(lease), Caption.objects.get().is_open) == ([(2, 1, "good morning all")], False)


def test_an_open_caption_that_is_taken_back_stays_without_text(lease: Lease) -> None:
    commit(lease, [spoken("good morning")], None)
    commit(lease, [replace(final(0, ""), end=2.0)], None)
    assert (stored(lease), Caption.objects.get().is_open) == ([(2, 1, "")], False)
