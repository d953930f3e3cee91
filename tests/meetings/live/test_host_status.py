from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from inference.audio import SAMPLE_RATE
from meetings.broker.audio_log import LogState
from meetings.live.host_status import host_status
from meetings.models import AttemptState, Meeting, State, Summary, SummaryAttempt, SummaryFailure
from meetings.store.summary_status import FAILURE_SENTENCES

pytestmark = pytest.mark.django_db

STATE = LogState(40, 4 * SAMPLE_RATE, 1 * SAMPLE_RATE, "", 0.0, "")


def make_meeting(**fields: object) -> Meeting:
    started = timezone.now() - timedelta(seconds=100)
    return Meeting.objects.create(title="Planning", state=State.LIVE, started_at=started, **fields)


def test_counts_in_seconds() -> None:
    told = host_status(make_meeting(cursor=3 * SAMPLE_RATE, missing_s=0.125), STATE)
    figures = [told[name] for name in ("captured_s", "durable_s", "captioned_s", "behind_s", "missing_s")]
    assert figures == [4.0, 4.0, 3.0, 1.0, 0.12]


def test_nothing_of_a_meeting_that_ended_is_unsaved_because_its_log_is_gone() -> None:
    told = host_status(make_meeting(cursor=3 * SAMPLE_RATE), LogState(0, 0, 0, "", 0.0, ""))
    assert [told[name] for name in ("captured_s", "durable_s", "captioned_s", "behind_s")] == [3.0, 3.0, 3.0, 0.0]


def test_without_an_interval_none_is_due() -> None:
    assert host_status(make_meeting(), STATE)["next_summary_s"] is None


def test_the_first_is_due_an_interval_after_the_start() -> None:
    due = host_status(make_meeting(summary_every_s=300), STATE)["next_summary_s"]
    assert due == pytest.approx(200, abs=5)


def test_the_next_is_due_an_interval_after_the_last() -> None:
    meeting = make_meeting(summary_every_s=300)
    Summary.objects.create(meeting=meeting, seq=1, from_s=0.0, to_s=60.0, language="en")
    assert host_status(meeting, STATE)["next_summary_s"] == pytest.approx(300, abs=5)


def test_not_now_counts() -> None:
    meeting = make_meeting(summary_every_s=120)
    SummaryAttempt.objects.create(meeting=meeting, not_before=timezone.now() + timedelta(seconds=250))
    assert host_status(meeting, STATE)["next_summary_s"] == pytest.approx(250, abs=5)


def test_one_that_is_overdue_is_due_now() -> None:
    assert host_status(make_meeting(summary_every_s=30), STATE)["next_summary_s"] == 0.0


def test_an_ended_meeting_waits_for_none() -> None:
    meeting = make_meeting(summary_every_s=300)
    meeting.state = State.ENDED
    assert host_status(meeting, STATE)["next_summary_s"] is None


@pytest.mark.parametrize(
    ("state", "error", "sentence", "retry_s"),
    [
        (AttemptState.WAITING, "", None, None),
        (AttemptState.UNDER_WAY, "", None, None),
        (AttemptState.PUT_OFF, SummaryFailure.FAILED, FAILURE_SENTENCES[SummaryFailure.FAILED], 60),
        (AttemptState.PUT_OFF, SummaryFailure.NONE_HERE, FAILURE_SENTENCES[SummaryFailure.NONE_HERE], None),
        (AttemptState.PUT_OFF, "of a newer version", None, 60),
    ],
)
def test_why_a_summary_is_put_off_is_said_with_the_time_of_the_next_attempt(
    state: str, error: str, sentence: str | None, retry_s: int | None
) -> None:
    meeting = make_meeting()
    later = timezone.now() + timedelta(seconds=60)
    SummaryAttempt.objects.create(meeting=meeting, state=state, error=error[:16], not_before=later)
    told = host_status(meeting, STATE)
    assert told["summary_trouble"] == sentence
    assert told["retry_summary_s"] == (retry_s and pytest.approx(retry_s, abs=5))
