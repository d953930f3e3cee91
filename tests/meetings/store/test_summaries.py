"""When a summary is due, and when one that failed is tried again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from meetings.models import Caption, Meeting, State
from meetings.store import summaries
from meetings.store.summary_status import SummaryFailure

pytestmark = pytest.mark.django_db


def make_meeting(**fields: object) -> Meeting:
    """Live, with one caption."""
    meeting = Meeting.objects.create(title="Budget", state=State.LIVE, started_at=timezone.now(), **fields)
    Caption.objects.create(meeting=meeting, segment="1", seq=1, start=0.0, end=1.0, text="Hello.", language="en")
    return meeting


def pause_s(meeting: Meeting) -> float:
    meeting.refresh_from_db()
    assert meeting.summary_not_before is not None
    return (meeting.summary_not_before - timezone.now()).total_seconds()


def test_an_attempt_that_nobody_survives_is_not_repeated_at_once() -> None:
    meeting = make_meeting(summary_asked_at=timezone.now())
    assert [one.meeting_id for one in summaries.due([meeting.pk])] == [meeting.pk]
    summaries.defer([meeting.pk], SummaryFailure.FAILED, least_s=30)
    assert summaries.due([meeting.pk]) == []
    assert pause_s(meeting) == pytest.approx(30, abs=5)
    assert meeting.summary_trouble == SummaryFailure.FAILED


def test_attempts_become_rarer() -> None:
    meeting = make_meeting(summary_asked_at=timezone.now() - timedelta(seconds=200))
    summaries.defer([meeting.pk], SummaryFailure.FAILED, least_s=30)
    assert pause_s(meeting) == pytest.approx(200, abs=5)


def test_an_attempt_is_made_after_a_bounded_time() -> None:
    meeting = make_meeting(summary_asked_at=timezone.now() - timedelta(days=1))
    summaries.defer([meeting.pk], SummaryFailure.FAILED, least_s=30)
    assert pause_s(meeting) == pytest.approx(summaries.LONGEST_PUT_OFF_S, abs=5)


def test_the_host_need_not_wait() -> None:
    meeting = make_meeting(summary_asked_at=timezone.now())
    summaries.defer([meeting.pk], SummaryFailure.FAILED, least_s=30)
    assert summaries.ask(meeting.pk)
    assert len(summaries.due([meeting.pk])) == 1
    meeting.refresh_from_db()
    assert meeting.summary_trouble == ""


@pytest.mark.parametrize(
    ("before", "after", "waits"),
    [
        (SummaryFailure.UNDER_WAY, SummaryFailure.BROKEN_OFF, True),
        (SummaryFailure.FAILED, SummaryFailure.FAILED, True),
        (SummaryFailure.NONE_HERE, "", False),
        (SummaryFailure.TOO_LARGE, "", False),
    ],
)
def test_the_next_worker_says_what_became_of_the_attempt(before: SummaryFailure, after: str, *, waits: bool) -> None:
    meeting = make_meeting(summary_asked_at=timezone.now())
    summaries.defer([meeting.pk], before, least_s=30)
    summaries.reset_after_takeover(meeting.pk)
    meeting.refresh_from_db()
    assert meeting.summary_trouble == after
    assert (summaries.due([meeting.pk]) == []) is waits


def test_an_attempt_that_ended_well_puts_nothing_off() -> None:
    meeting = make_meeting(summary_asked_at=timezone.now())
    summaries.defer([meeting.pk], SummaryFailure.FAILED, least_s=30)
    summaries.clear_deferral([meeting.pk])
    assert len(summaries.due([meeting.pk])) == 1


@pytest.mark.parametrize(("ended_s_ago", "waits"), [(10, True), (summaries.SUMMARY_GIVE_UP_S + 10, False)])
def test_a_meeting_that_is_over_waits_for_its_summary_but_not_for_ever(ended_s_ago: int, waits: bool) -> None:
    ended_at = timezone.now() - timedelta(seconds=ended_s_ago)
    meeting = make_meeting(summary_every_s=3600)
    started_at = ended_at - timedelta(seconds=60)
    Meeting.objects.filter(pk=meeting.pk).update(state=State.ENDED, ended_at=ended_at, started_at=started_at)
    summaries.defer([meeting.pk], SummaryFailure.FAILED, least_s=30)
    assert summaries.due([meeting.pk]) == []
    assert summaries.wanted_after_end(meeting.pk) is waits
