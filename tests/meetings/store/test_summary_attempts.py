"""When a summary is due, and when one that failed is tried again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from inference.summarization.summary import Summary
from meetings.models import AttemptState, Caption, Meeting, State, SummaryAttempt, SummaryFailure
from meetings.store import summary_attempts
from meetings.store.summaries import store
from meetings.store.transcript import Lease, take_lease

pytestmark = pytest.mark.django_db


def make_meeting(**fields: object) -> Meeting:
    """Live, with one caption."""
    meeting = Meeting.objects.create(title="Budget", state=State.LIVE, started_at=timezone.now(), **fields)
    Caption.objects.create(meeting=meeting, segment="1", seq=1, start=0.0, end=1.0, text="Hello.", language="en")
    return meeting


def pause_s(meeting: Meeting) -> float:
    not_before = SummaryAttempt.objects.get(pk=meeting.pk).not_before
    assert not_before is not None
    return (not_before - timezone.now()).total_seconds()


def is_due(meeting: Meeting) -> bool:
    return [one.meeting_id for one in summary_attempts.due([meeting.pk])] == [meeting.pk]


def test_an_attempt_that_nobody_survives_is_not_repeated_at_once() -> None:
    meeting = make_meeting(summary_asked_at=timezone.now())
    assert is_due(meeting)
    summary_attempts.begin([meeting.pk])
    assert not is_due(meeting)
    assert pause_s(meeting) == pytest.approx(30, abs=5)
    assert SummaryAttempt.objects.get().state == AttemptState.UNDER_WAY


def test_failures_are_counted_and_each_doubles_the_pause() -> None:
    meeting = make_meeting(summary_asked_at=timezone.now())
    for pause in (60, 120, 240, 480, 600, 600):
        summary_attempts.begin([meeting.pk])
        summary_attempts.fail(meeting.pk, SummaryFailure.NO_ROOM)
        assert pause_s(meeting) == pytest.approx(pause, abs=5)
    [attempt] = SummaryAttempt.objects.all()
    assert (attempt.state, attempt.attempts, attempt.error) == (AttemptState.PUT_OFF, 6, SummaryFailure.NO_ROOM)


@pytest.mark.parametrize(("asked_s_ago", "pause"), [(200, 200), (24 * 3600, summary_attempts.LONGEST_PUT_OFF_S)])
def test_attempts_become_rarer_and_are_still_made(asked_s_ago: int, pause: int) -> None:
    meeting = make_meeting(summary_asked_at=timezone.now() - timedelta(seconds=asked_s_ago))
    summary_attempts.defer([meeting.pk], SummaryFailure.BUSY, least_s=30)
    assert pause_s(meeting) == pytest.approx(pause, abs=5)


@pytest.mark.parametrize("end", [summary_attempts.ask, lambda meeting_id: summary_attempts.clear([meeting_id])])
def test_a_request_and_a_cancelled_attempt_end_the_pause(end: Callable[[str], object]) -> None:
    meeting = make_meeting(summary_asked_at=timezone.now())
    summary_attempts.fail(meeting.pk, SummaryFailure.FAILED)
    end(meeting.pk)
    assert is_due(meeting)
    attempt = summary_attempts.attempt_of(Meeting.objects.get())
    assert (attempt.state, attempt.not_before, attempt.error) == (AttemptState.WAITING, None, "")


def test_a_summary_ends_the_attempts() -> None:
    meeting = make_meeting(summary_asked_at=timezone.now())
    summary_attempts.fail(meeting.pk, SummaryFailure.FAILED)
    lease = Lease(meeting.pk, take_lease(meeting.pk).lease_epoch)
    store(lease, Summary(0.0, 0.5, "en", "Hello.", ()))
    assert not SummaryAttempt.objects.exists()
    assert not is_due(meeting)


def test_not_now_puts_off_a_request_and_the_next_interval() -> None:
    meeting = make_meeting(summary_asked_at=timezone.now(), summary_every_s=30)
    Meeting.objects.update(started_at=timezone.now() - timedelta(seconds=60))
    summary_attempts.not_now(meeting.pk)
    assert not is_due(meeting)
    assert pause_s(meeting) == pytest.approx(summary_attempts.NOT_NOW_S, abs=5)
    assert SummaryAttempt.objects.get().error == ""


def test_a_deleted_meeting_has_no_attempts() -> None:
    meeting_id = make_meeting(summary_asked_at=timezone.now()).pk
    Meeting.objects.all().delete()
    summary_attempts.fail(meeting_id, SummaryFailure.FAILED)
    summary_attempts.not_now(meeting_id)
    assert not SummaryAttempt.objects.exists()


@pytest.mark.parametrize(
    ("before", "after", "waits"),
    [
        ((AttemptState.UNDER_WAY, ""), (AttemptState.PUT_OFF, SummaryFailure.BROKEN_OFF), True),
        ((AttemptState.PUT_OFF, SummaryFailure.FAILED), (AttemptState.PUT_OFF, SummaryFailure.FAILED), True),
        ((AttemptState.PUT_OFF, SummaryFailure.NONE_HERE), (AttemptState.WAITING, ""), False),
        ((AttemptState.PUT_OFF, SummaryFailure.TOO_LARGE), (AttemptState.WAITING, ""), False),
    ],
)
def test_the_next_worker_says_what_became_of_the_attempt(
    before: tuple[str, str], after: tuple[str, str], *, waits: bool
) -> None:
    meeting = make_meeting(summary_asked_at=timezone.now())
    later = timezone.now() + timedelta(seconds=30)
    state, error = before
    SummaryAttempt.objects.create(meeting=meeting, state=state, error=error, not_before=later)
    summary_attempts.reset_after_takeover(meeting.pk)
    attempt = SummaryAttempt.objects.get()
    assert (attempt.state, attempt.error) == after
    assert is_due(meeting) is not waits


@pytest.mark.parametrize(
    ("ended_s_ago", "failures", "waits"),
    [
        (10, summary_attempts.MAX_FINAL_ATTEMPTS - 1, True),
        (10, summary_attempts.MAX_FINAL_ATTEMPTS, False),
        (summary_attempts.SUMMARY_GIVE_UP_S + 10, 1, False),
    ],
)
def test_a_meeting_that_is_over_waits_for_its_summary_but_not_for_ever(
    ended_s_ago: int, failures: int, *, waits: bool
) -> None:
    ended_at = timezone.now() - timedelta(seconds=ended_s_ago)
    meeting = make_meeting(summary_every_s=3600)
    started_at = ended_at - timedelta(seconds=60)
    Meeting.objects.filter(pk=meeting.pk).update(state=State.ENDED, ended_at=ended_at, started_at=started_at)
    for _ in range(failures):
        summary_attempts.fail(meeting.pk, SummaryFailure.FAILED)
    assert not is_due(meeting)
    assert summary_attempts.wanted_after_end(meeting.pk) is waits
