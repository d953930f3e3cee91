"""The verbs over a meeting's summaries: when one is due, what it is to be written from, and what was written.

That a summary is due is asked of the rows, so a worker that dies while it writes leaves it due for the next one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Max
from django.utils import timezone

from meetings.models import Caption, Meeting, State, Summary
from meetings.store.summary_status import LASTING, SummaryFailure
from meetings.store.transcript import Lease, changing
from meetings.store.webhooks import announce

SHORTEST_INTERVAL_S, LONGEST_INTERVAL_S = 30, 24 * 3600
NOT_NOW_S = 300
"""How long the host's "not now" holds."""

LONGEST_PUT_OFF_S = 600
"""Between two attempts at a summary that fail."""

GIVE_UP_S = 900
"""How long a meeting that is over waits for a summary that cannot be written."""


@dataclass(frozen=True, slots=True)
class Due:
    """A meeting that is to be summed up now."""

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
    """A summary is wanted now; False when nothing was said since the last one."""
    summed_up_s = Summary.objects.filter(meeting_id=meeting_id).aggregate(to_s=Max("to_s"))["to_s"] or 0.0
    if not new_captions(meeting_id, summed_up_s):
        return False
    Meeting.objects.filter(pk=meeting_id).update(
        summary_asked_at=timezone.now(), summary_not_before=None, summary_trouble=""
    )
    return True


def not_now(meeting_id: str) -> None:
    """No summary for a while, whatever the interval says."""
    later = timezone.now() + timedelta(seconds=NOT_NOW_S)
    Meeting.objects.filter(pk=meeting_id).update(summary_asked_at=None, summary_not_before=later, summary_trouble="")


def set_interval(meeting_id: str, seconds: int | None) -> None:
    """Seconds between summaries; None: only when asked for."""
    Meeting.objects.filter(pk=meeting_id).update(summary_every_s=seconds)


def due(meeting_ids: Collection[str]) -> list[Due]:
    """Those of the meetings that want a summary now, have something new to sum up, and are not put off."""
    now = timezone.now()
    return _found([one for one in _wanting(meeting_ids, now) if not _is_put_off(one, now)])


def wanted_after_end(meeting_id: str) -> bool:
    """Whether a meeting that is over waits for a summary, one that is put off included; not for ever."""
    now = timezone.now()
    patient = [one for one in _wanting([meeting_id], now) if _waited_s(one, now) < GIVE_UP_S]
    return bool(_found(patient))


def put_off(meeting_ids: Collection[str], trouble: SummaryFailure, *, least_s: float) -> None:
    """To be said of an attempt that failed; and before each, so that a worker that dies of it is not followed at once.

    For as long as the summary has been wanted already, so that attempts become rarer; the host's asking ends it.
    """
    now = timezone.now()
    for meeting in _wanting(meeting_ids, now):
        pause_s = max(least_s, min(_waited_s(meeting, now), LONGEST_PUT_OFF_S))
        Meeting.objects.filter(pk=meeting.pk).update(
            summary_not_before=now + timedelta(seconds=pause_s), summary_trouble=trouble
        )


def put_off_no_more(meeting_ids: Collection[str]) -> None:
    """After an attempt that ended well, or was broken off for another reason than the summary."""
    Meeting.objects.filter(pk__in=meeting_ids).update(summary_not_before=None, summary_trouble="")


def take_over(meeting_id: str) -> None:
    """To be said by a meeting's new worker: an attempt of the one before is over, and what it had not may be here."""
    meeting = Meeting.objects.filter(pk=meeting_id)
    meeting.filter(summary_trouble=SummaryFailure.UNDER_WAY).update(summary_trouble=SummaryFailure.BROKEN_OFF)
    meeting.filter(summary_trouble__in=LASTING).update(summary_trouble="", summary_not_before=None)


def next_due(meeting: Meeting) -> datetime | None:
    """When the interval is over next; None: summaries are only written when asked for."""
    last = meeting.summaries.aggregate(at=Max("created_at"))["at"]
    return _next_due(meeting, last)


def new_captions(meeting_id: str, from_s: float) -> list[Caption]:
    """What was said since the last summary."""
    rows = Caption.objects.filter(meeting_id=meeting_id, start__gte=from_s).exclude(text="")
    return list(rows.order_by("start", "segment"))


def earlier(meeting_id: str) -> list[Summary]:
    """The summaries so far, oldest first."""
    return list(Summary.objects.filter(meeting_id=meeting_id).order_by("from_s", "pk"))


def store(lease: Lease, written: Written) -> int:
    """Stores a summary, which is no longer asked for then; returns the meeting's newest `seq`.

    Raises:
        LeaseLost: a newer worker owns the meeting, and will write one itself; nothing was stored.
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
    """Summaries in one of the languages `sources` that are not there in `target` yet, newest first."""
    rows = Summary.objects.filter(meeting_id=meeting_id, language__in=sources).exclude(language=target)
    return [summary for summary in rows.order_by("-from_s") if target not in summary.translations]


def texts_of(summary: Summary) -> list[str]:
    """Its own text, then those of its items, as they were written."""
    return [summary.text, *(item["text"] for item in summary.items)]


def store_translation(
    lease: Lease, summary_id: int, language: str, texts: Sequence[str], *, translated: Sequence[str]
) -> int:
    """Stores a summary in another language; returns the meeting's newest `seq`.

    Left out: what translates other `texts` than the summary has by now, and what somebody's own wording stands for.

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
    """Whether what stands there in `language`, a translation, is somebody's own wording."""
    return bool(summary.translations.get(language, {}).get("is_fixed"))


def _wanting(meeting_ids: Collection[str], now: datetime) -> list[Meeting]:
    """Annotated with the end (`summed_up_s`) and the time (`summed_up_at`) of their last summaries."""
    meetings = Meeting.objects.filter(pk__in=meeting_ids).annotate(
        summed_up_s=Max("summaries__to_s"), summed_up_at=Max("summaries__created_at")
    )
    return [one for one in meetings if one.summary_asked_at is not None or _interval_is_over(one, now)]


def _found(meetings: Collection[Any]) -> list[Due]:
    """Those that have something new to sum up."""
    found = [Due(one.pk, one.summary_asked_at is not None, one.summed_up_s or 0.0) for one in meetings]
    return [one for one in found if new_captions(one.meeting_id, one.from_s)]


def _is_put_off(meeting: Meeting, now: datetime) -> bool:
    return meeting.summary_not_before is not None and meeting.summary_not_before > now


def _waited_s(meeting: Any, now: datetime) -> float:
    """Seconds since a summary was asked for, or the interval or the meeting was over; the latest of them."""
    over = _interval_end(meeting, meeting.summed_up_at)
    moments = [meeting.summary_asked_at, meeting.ended_at, over]
    return max(
        0.0, min(((now - moment).total_seconds() for moment in moments if moment and moment <= now), default=0.0)
    )


def _interval_is_over(meeting: Any, now: datetime) -> bool:
    """The end of a meeting ends its interval too."""
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
