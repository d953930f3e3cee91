"""When a meeting is due for a summary, and the attempts at it.

Whether a summary is wanted is derived from the rows, so it stays due if a worker dies while writing it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from meetings.models import AttemptState, Meeting, State, Summary, SummaryAttempt, SummaryFailure
from meetings.store.summaries import new_captions
from meetings.store.summary_status import PERMANENT

SHORTEST_INTERVAL_S, LONGEST_INTERVAL_S = 30, 24 * 3600
NOT_NOW_S = 300
"""How long the host's "not now" holds."""

FIRST_RETRY_S = 30.0
"""Pause of an attempt that kills its worker. Each failure in a row doubles it, up to LONGEST_PUT_OFF_S."""

LONGEST_PUT_OFF_S = 600

MAX_FINAL_ATTEMPTS = 3
"""Failed attempts after which an ended meeting is closed without its summary."""

SUMMARY_GIVE_UP_S = 900
"""How long an ended meeting waits for a summary that cannot be written."""


@dataclass(frozen=True, slots=True)
class Due:
    """A meeting that is due for a summary."""

    meeting_id: str
    from_s: float
    """Where the last summary ended."""


def ask(meeting_id: str) -> bool:
    """Ask for a summary now; False: nothing was said since the last one."""
    summed_up_s = Summary.objects.filter(meeting_id=meeting_id).aggregate(to_s=Max("to_s"))["to_s"] or 0.0
    if not new_captions(meeting_id, summed_up_s):
        return False
    Meeting.objects.filter(pk=meeting_id).update(summary_asked_at=timezone.now())
    SummaryAttempt.objects.filter(pk=meeting_id).delete()
    return True


def not_now(meeting_id: str) -> None:
    """Suppress summaries for a while, whatever the interval."""
    Meeting.objects.filter(pk=meeting_id).update(summary_asked_at=None)
    later = timezone.now() + timedelta(seconds=NOT_NOW_S)
    _put(meeting_id, state=AttemptState.WAITING, not_before=later, error="")


def set_interval(meeting_id: str, seconds: int | None) -> None:
    """Set the seconds between summaries; None: only on request."""
    Meeting.objects.filter(pk=meeting_id).update(summary_every_s=seconds)


def due(meeting_ids: Collection[str]) -> list[Due]:
    """Return the meetings that want a summary now, have new captions, and are not backing off."""
    now = timezone.now()
    return _found([one for one in _wanting(meeting_ids, now) if not _is_put_off(one, now)])


def wanted_after_end(meeting_id: str) -> bool:
    """Return whether an ended meeting still waits for a summary, during backoff too.

    Limited by MAX_FINAL_ATTEMPTS and SUMMARY_GIVE_UP_S.
    """
    now = timezone.now()
    return bool(_found([one for one in _wanting([meeting_id], now) if not _is_given_up(one, now)]))


def begin(meeting_ids: Collection[str]) -> None:
    """Store that an attempt is under way, with a pause, so that one that kills its worker is not repeated at once."""
    _pause(meeting_ids, FIRST_RETRY_S, state=AttemptState.UNDER_WAY, error="")


def defer(meeting_ids: Collection[str], error: SummaryFailure, *, least_s: float) -> None:
    """Put off summaries that were not attempted.

    The pause is as long as the summary has been wanted so far, so attempts become rarer; a request by the host ends it.
    """
    _pause(meeting_ids, least_s, state=AttemptState.PUT_OFF, error=error)


def fail(meeting_id: str, error: SummaryFailure) -> None:
    """Count a failed attempt, and put the summary off, longer with each failure in a row."""
    attempts = SummaryAttempt.objects.filter(pk=meeting_id).values_list("attempts", flat=True).first() or 0
    least_s = min(FIRST_RETRY_S * 2.0 ** (attempts + 1), LONGEST_PUT_OFF_S)
    _pause([meeting_id], least_s, state=AttemptState.PUT_OFF, error=error, attempts=attempts + 1)


def clear(meeting_ids: Collection[str]) -> None:
    """End the pause after an attempt that was cancelled for another reason, or found nothing to write."""
    _clear(SummaryAttempt.objects.filter(pk__in=meeting_ids))


def reset_after_takeover(meeting_id: str) -> None:
    """Reset what the previous worker left.

    An attempt under way has failed, and 'model missing' may not apply to this worker.
    """
    left = SummaryAttempt.objects.filter(pk=meeting_id)
    _clear(left.filter(error__in=PERMANENT))
    left.filter(state=AttemptState.UNDER_WAY).update(state=AttemptState.PUT_OFF, error=SummaryFailure.BROKEN_OFF)


def failure_of_last(meeting_id: str) -> str:
    """Return why the meeting's summary is put off (`SummaryFailure`); empty: it is not."""
    return SummaryAttempt.objects.filter(pk=meeting_id).values_list("error", flat=True).first() or ""


def attempt_of(meeting: Meeting) -> SummaryAttempt:
    """Return the meeting's attempts, also where none was made."""
    return getattr(meeting, "summary_attempt", None) or SummaryAttempt(meeting=meeting)


def next_due(meeting: Meeting) -> datetime | None:
    """Return when the next interval ends; None: summaries are only written on request."""
    at = _interval_end(meeting, meeting.summaries.aggregate(at=Max("created_at"))["at"])
    not_before = attempt_of(meeting).not_before
    return max(at, not_before) if at and not_before else at


def _pause(meeting_ids: Collection[str], least_s: float, **fields: object) -> None:
    """Store the state of attempts that are still wanted, with a pause."""
    now = timezone.now()
    for meeting in _wanting(meeting_ids, now):
        pause_s = max(least_s, min(_waited_s(meeting, now), LONGEST_PUT_OFF_S))
        _put(meeting.pk, not_before=now + timedelta(seconds=pause_s), **fields)


def _put(meeting_id: str, **fields: object) -> None:
    """Store the state of a meeting's attempts. A meeting that was deleted has none."""
    with transaction.atomic():
        if Meeting.objects.select_for_update().filter(pk=meeting_id).exists():
            SummaryAttempt.objects.update_or_create(pk=meeting_id, defaults=fields)


def _clear(attempts: QuerySet[SummaryAttempt]) -> None:
    attempts.update(state=AttemptState.WAITING, not_before=None, error="")


def _wanting(meeting_ids: Collection[str], now: datetime) -> list[Meeting]:
    """Annotate with end (`summed_up_s`) and creation time (`summed_up_at`) of the last summary."""
    meetings = Meeting.objects.filter(pk__in=meeting_ids).select_related("summary_attempt")
    last = meetings.annotate(summed_up_s=Max("summaries__to_s"), summed_up_at=Max("summaries__created_at"))
    return [one for one in last if one.summary_asked_at is not None or _interval_is_over(one, now)]


def _found(meetings: Collection[Any]) -> list[Due]:
    """Return those with new captions to sum up."""
    found = [Due(one.pk, one.summed_up_s or 0.0) for one in meetings]
    return [one for one in found if new_captions(one.meeting_id, one.from_s)]


def _is_put_off(meeting: Meeting, now: datetime) -> bool:
    not_before = attempt_of(meeting).not_before
    return not_before is not None and not_before > now


def _is_given_up(meeting: Meeting, now: datetime) -> bool:
    return attempt_of(meeting).attempts >= MAX_FINAL_ATTEMPTS or _waited_s(meeting, now) >= SUMMARY_GIVE_UP_S


def _waited_s(meeting: Any, now: datetime) -> float:
    """Return the seconds since the latest of: request, end of the interval, end of the meeting."""
    over = _interval_end(meeting, meeting.summed_up_at)
    moments = [meeting.summary_asked_at, meeting.ended_at, over]
    return max(
        0.0, min(((now - moment).total_seconds() for moment in moments if moment and moment <= now), default=0.0)
    )


def _interval_is_over(meeting: Any, now: datetime) -> bool:
    """The end of a meeting also ends its interval."""
    at = _interval_end(meeting, meeting.summed_up_at)
    return at is not None and (meeting.state == State.ENDED or (at <= now and meeting.state == State.LIVE))


def _interval_end(meeting: Meeting, last: datetime | None) -> datetime | None:
    began = last or meeting.started_at
    if meeting.summary_every_s is None or began is None:
        return None
    return began + timedelta(seconds=meeting.summary_every_s)
