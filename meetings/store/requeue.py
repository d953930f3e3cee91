"""Wake a worker for a meeting without new audio, to translate lines again or write a late summary."""

from __future__ import annotations

from collections.abc import Collection

import structlog
from asgiref.sync import async_to_sync
from django.db.models import Q
from redis.exceptions import RedisError

from meetings.broker.audio_log import AudioLog, Mark
from meetings.broker.client import connect
from meetings.broker.notify import notify_change
from meetings.models import Correction, Meeting, State, Translation

log = structlog.get_logger(__name__)


def requeue(meeting_id: str, seq: int) -> None:
    """Notify open screens of a stored change, and a worker that lines may need translating again.

    If the broker is unreachable, screens poll, and translations are made when the meeting is next woken.
    """
    notify_change(meeting_id, seq)
    meeting = Meeting.objects.filter(pk=meeting_id).first()
    if meeting is None:
        return
    try:
        rouse(meeting, _languages_once_there(meeting))
    except (RedisError, OSError) as error:
        log.warning("worker_not_woken", meeting=meeting_id, error=str(error))


def languages_of(meeting: Meeting) -> list[str]:
    """Return the languages that captions are translated into."""
    rows = Translation.objects.filter(caption__meeting=meeting).order_by("language")
    return list(rows.values_list("language", flat=True).distinct())


def _languages_once_there(meeting: Meeting) -> set[str]:
    """Include languages whose last translation was deleted by a correction."""
    of_meeting = Q(caption__meeting=meeting) | Q(summary__meeting=meeting)
    rows = Correction.objects.filter(of_meeting).exclude(language="").order_by("language")
    return {*languages_of(meeting), *rows.values_list("language", flat=True).distinct()}


def rouse(meeting: Meeting, languages: Collection[str] = ()) -> None:
    """Make a worker take the meeting; if it has ended, the worker does what is left, as after a crash.

    Translate into `languages` in addition to those of the meeting. Raises the errors of an unreachable broker.
    """
    marks: list[tuple[Mark, str]] = [("translate", " ".join(sorted(languages)))]
    if meeting.state == State.ENDED:
        marks.append(("end", ""))
    async_to_sync(_mark)(meeting, marks)


async def _mark(meeting: Meeting, marks: list[tuple[Mark, str]]) -> None:
    broker = connect()
    try:
        await AudioLog(broker).rouse(meeting.pk, marks, cursor=meeting.cursor)
    finally:
        await broker.aclose()
