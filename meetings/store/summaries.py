"""Summaries of a meeting: when one is due, what it is based on, and storing it.

Whether a summary is due is derived from the rows, so it stays due if a worker dies while writing it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Max
from django.utils import timezone

from meetings.models import Caption, Meeting, State, Summary
from meetings.store.summary_status import PERMANENT, SummaryFailure
from meetings.store.transcript import Lease, changing
from meetings.store.webhooks import announce

SHORTEST_INTERVAL_S, LONGEST_INTERVAL_S = 30, 24 * 3600
NOT_NOW_S = 300
"""How long the host's "not now" holds."""

LONGEST_PUT_OFF_S = 600
"""Between two failed attempts at a summary."""

SUMMARY_GIVE_UP_S = 900
"""How long an ended meeting waits for a summary that cannot be written."""


@dataclass(frozen=True, slots=True)
class Due:
    """A meeting that is due for a summary."""

    meeting_id: str
    asked: bool
    """By the host; else by its interval."""
    from_s: float
    """Where the last summary ended."""


@dataclass(frozen=True, slots=True)
class Written:
    """A summary as it is stored."""

    from_s: float
    to_s: float
    language: str
    text: str
    items: Sequence[dict[str, Any]]
    """As on the wire: kind, text, owner, segments."""


def ask(meeting_id: str) -> bool:
    """Ask for a summary now; False: nothing was said since the last one."""
    summed_up_s = Summary.objects.filter(meeting_id=meeting_id).aggregate(to_s=Max("to_s"))["to_s"] or 0.0
    if not new_captions(meeting_id, summed_up_s):
        return False
    Meeting.objects.filter(pk=meeting_id).update(
        summary_asked_at=timezone.now(), summary_not_before=None, summary_trouble=""
    )
    return True


def not_now(meeting_id: str) -> None:
    """Suppress summaries for a while, whatever the interval."""
    later = timezone.now() + timedelta(seconds=NOT_NOW_S)
    Meeting.objects.filter(pk=meeting_id).update(summary_asked_at=None, summary_not_before=later, summary_trouble="")


def set_interval(meeting_id: str, seconds: int | None) -> None:
    """Set the seconds between summaries; None: only on request."""
    Meeting.objects.filter(pk=meeting_id).update(summary_every_s=seconds)


def due(meeting_ids: Collection[str]) -> list[Due]:
    """Return the meetings that want a summary now, have new captions, and are not backing off."""
    now = timezone.now()
    return _found([one for one in _wanting(meeting_ids, now) if not _is_put_off(one, now)])


def wanted_after_end(meeting_id: str) -> bool:
    """Return whether an ended meeting still waits for a summary, during backoff too; limited by GIVE_UP_S."""
    now = timezone.now()
    patient = [one for one in _wanting([meeting_id], now) if _waited_s(one, now) < SUMMARY_GIVE_UP_S]
    return bool(_found(patient))


def defer(meeting_ids: Collection[str], trouble: SummaryFailure, *, least_s: float) -> None:
    """Back off. Also called before every attempt, so that an attempt that kills the worker is not retried at once.

    The pause is as long as the summary has been wanted so far, so attempts become rarer; a request by the host ends it.
    """
    now = timezone.now()
    for meeting in _wanting(meeting_ids, now):
        pause_s = max(least_s, min(_waited_s(meeting, now), LONGEST_PUT_OFF_S))
        Meeting.objects.filter(pk=meeting.pk).update(
            summary_not_before=now + timedelta(seconds=pause_s), summary_trouble=trouble
        )


def clear_deferral(meeting_ids: Collection[str]) -> None:
    """End the backoff after a successful attempt, or one that was cancelled for an unrelated reason."""
    Meeting.objects.filter(pk__in=meeting_ids).update(summary_not_before=None, summary_trouble="")


def reset_after_takeover(meeting_id: str) -> None:
    """Reset the summary state left by the previous worker.

    An attempt in progress has failed, and 'model missing' may not apply to this worker.
    """
    meeting = Meeting.objects.filter(pk=meeting_id)
    meeting.filter(summary_trouble=SummaryFailure.UNDER_WAY).update(summary_trouble=SummaryFailure.BROKEN_OFF)
    meeting.filter(summary_trouble__in=PERMANENT).update(summary_trouble="", summary_not_before=None)


def next_due(meeting: Meeting) -> datetime | None:
    """Return when the next interval ends; None: summaries are only written on request."""
    last = meeting.summaries.aggregate(at=Max("created_at"))["at"]
    return _next_due(meeting, last)


def new_captions(meeting_id: str, from_s: float) -> list[Caption]:
    """Return the captions that start at or after `from_s`, the end of the last summary."""
    rows = Caption.objects.filter(meeting_id=meeting_id, start__gte=from_s).exclude(text="")
    return list(rows.order_by("start", "segment"))


def earlier(meeting_id: str) -> list[Summary]:
    """Return the summaries so far, oldest first."""
    return list(Summary.objects.filter(meeting_id=meeting_id).order_by("from_s", "pk"))


def store(lease: Lease, written: Written) -> int:
    """Store a summary and clear the request for it; return the meeting's newest `seq`.

    Raises:
        LeaseLost: a newer worker owns the meeting and will write one itself; nothing was stored.
    """
    with changing(lease.meeting_id, lease=lease) as meeting:
        meeting.last_seq += 1
        Summary.objects.create(
            meeting=meeting,
            seq=meeting.last_seq,
            from_s=written.from_s,
            to_s=written.to_s,
            language=written.language,
            text=written.text,
            items=list(written.items),
        )
        meeting.summary_asked_at, meeting.summary_trouble = None, ""
        meeting.save(update_fields=("summary_asked_at", "summary_trouble"))
        announce(meeting, "summary.ready")
    return meeting.last_seq


def untranslated(meeting_id: str, target: str, *, sources: Collection[str]) -> list[Summary]:
    """Return summaries in one of the languages `sources` without a translation into `target`, newest first."""
    rows = Summary.objects.filter(meeting_id=meeting_id, language__in=sources).exclude(language=target)
    return [summary for summary in rows.order_by("-from_s") if target not in summary.translations]


def texts_of(summary: Summary) -> list[str]:
    """Return the summary's text, then those of its items, as written."""
    return [summary.text, *(item["text"] for item in summary.items)]


def store_translation(
    lease: Lease, summary_id: int, language: str, texts: Sequence[str], *, translated: Sequence[str]
) -> int:
    """Store a translation of a summary; return the meeting's newest `seq`.

    Skipped: translations of other `texts` than the summary has now, and languages with a corrected translation.

    Raises:
        LeaseLost: a newer worker owns the meeting; nothing was stored.
    """
    with changing(lease.meeting_id, lease=lease) as meeting:
        summary = Summary.objects.filter(meeting=meeting, pk=summary_id).first()
        if summary is not None and texts_of(summary) == list(texts) and not is_corrected(summary, language):
            text, *items = translated
            meeting.last_seq += 1
            summary.seq = meeting.last_seq
            summary.translations = {**summary.translations, language: {"text": text, "items": items}}
            summary.save(update_fields=("seq", "translations"))
    return meeting.last_seq


def is_corrected(summary: Summary, language: str) -> bool:
    """Return whether a person has corrected the translation into `language`."""
    return bool(summary.translations.get(language, {}).get("is_fixed"))


def _wanting(meeting_ids: Collection[str], now: datetime) -> list[Meeting]:
    """Annotate with end (`summed_up_s`) and creation time (`summed_up_at`) of the last summary."""
    meetings = Meeting.objects.filter(pk__in=meeting_ids).annotate(
        summed_up_s=Max("summaries__to_s"), summed_up_at=Max("summaries__created_at")
    )
    return [one for one in meetings if one.summary_asked_at is not None or _interval_is_over(one, now)]


def _found(meetings: Collection[Any]) -> list[Due]:
    """Return those with new captions to sum up."""
    found = [Due(one.pk, one.summary_asked_at is not None, one.summed_up_s or 0.0) for one in meetings]
    return [one for one in found if new_captions(one.meeting_id, one.from_s)]


def _is_put_off(meeting: Meeting, now: datetime) -> bool:
    return meeting.summary_not_before is not None and meeting.summary_not_before > now


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


def _next_due(meeting: Meeting, last: datetime | None) -> datetime | None:
    at = _interval_end(meeting, last)
    return max(at, meeting.summary_not_before) if at and meeting.summary_not_before else at


def _interval_end(meeting: Meeting, last: datetime | None) -> datetime | None:
    began = last or meeting.started_at
    if meeting.summary_every_s is None or began is None:
        return None
    return began + timedelta(seconds=meeting.summary_every_s)
