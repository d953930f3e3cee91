"""Has a worker come back to a meeting for what is not sound: a line to be translated again, a summary after all."""

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
    """Tells open screens of a stored change, and a worker that lines may have to be translated again.

    When the broker is away, screens look by themselves; translations are made when the meeting is next woken.
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
    """Those that its captions are translated into."""
    rows = Translation.objects.filter(caption__meeting=meeting).order_by("language")
    return list(rows.values_list("language", flat=True).distinct())


def _languages_once_there(meeting: Meeting) -> set[str]:
    """Also those of which a correction took the last translation away."""
    of_meeting = Q(caption__meeting=meeting) | Q(summary__meeting=meeting)
    rows = Correction.objects.filter(of_meeting).exclude(language="").order_by("language")
    return {*languages_of(meeting), *rows.values_list("language", flat=True).distinct()}


def rouse(meeting: Meeting, languages: Collection[str] = ()) -> None:
    """A worker takes the meeting, and of one that is over does what is left to do, as after the death of another.

    `languages` are translated into beside those that the meeting lists. Raises what an unreachable broker raises.
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
