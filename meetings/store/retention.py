"""How long what is kept: meetings that are not stored, sound, text, and what only machinery needs."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import DatabaseError
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from meetings import supervise
from meetings.models import Caption, EndedSignIn, LagSample, Meeting, State, UploadState
from meetings.store import incoming_files, recordings, upload_files, uploads, webhooks
from meetings.store.deletion import one_erasure

LAST_WORDS = timedelta(minutes=1)
"""How long the captions of a meeting that is not stored can be read after its end."""

UNFINISHED = timedelta(days=7)
"""An upload of which nothing has arrived for so long is given up, and so is the file of one that failed."""

ABANDONED = timedelta(days=1)
"""A meeting that is not stored and that nobody ended is over when it was silent for so long."""

TRIES_KEPT = timedelta(days=1)
"""How long wrong passwords are remembered; they count for `AXES_COOLOFF_TIME`."""

LAG_KEPT = timedelta(days=90)
"""How long it is kept how late captions were, for the charts of a meeting."""

ROWS_PER_QUERY = 500
"""Rows that one query names or deletes."""


@dataclass(slots=True)
class Purge:
    """What was deleted, or would be: ids of meetings."""

    meetings: list[str] = field(default_factory=list)
    """Deleted with everything of theirs."""
    recordings: list[str] = field(default_factory=list)
    """Their sound is deleted, their text stays."""
    failed: list[str] = field(default_factory=list)
    """They should be, and could not be deleted."""


def purge(
    now: datetime | None = None,
    *,
    is_rehearsal: bool = False,
    limit: int | None = None,
    but: Collection[str] = (),
) -> Purge:
    """Delete what is older than it may be.

    Args:
        is_rehearsal: Only say what that would be.
        limit: So many meetings, and the sound of so many more, at most; None: all.
        but: Meetings that are left alone.
    """
    now = now or timezone.now()
    found = Purge()
    with one_erasure():
        for meeting in _overdue(now).exclude(pk__in=but).defer("checkpoint").order_by("created_at")[:limit]:
            meeting_id = meeting.pk
            is_gone = is_rehearsal or _is_deleted(meeting)
            (found.meetings if is_gone else found.failed).append(meeting_id)
    for meeting_id in islice(_with_old_sound(now), limit):
        found.recordings.append(meeting_id)
        if not is_rehearsal:
            recordings.delete(meeting_id)
            upload_files.delete(meeting_id)
    for meeting_id in islice(uploads.failed_before(now - UNFINISHED), limit):
        found.recordings.append(meeting_id)
        if not is_rehearsal:
            upload_files.delete(meeting_id)
    return found


def forget_machinery(now: datetime | None = None, *, limit: int = ROWS_PER_QUERY) -> int:
    """Delete rows that nobody reads any more, `limit` of each kind at most; return how many.

    Files go too that requests left whose process died.
    """
    incoming_files.forget_old()
    now = now or timezone.now()
    signed_out = now - timedelta(seconds=settings.SESSION_COOKIE_AGE)
    deleted = webhooks.delete_old(limit=limit)
    for rows in (
        EndedSignIn.objects.filter(ended_at__lt=signed_out),
        Session.objects.filter(expire_date__lt=now),
        AccessAttempt.objects.filter(attempt_time__lt=now - TRIES_KEPT),
        LagSample.objects.filter(at__lt=now - LAG_KEPT),
    ):
        deleted += _delete_some(rows, limit)
    return deleted


def _delete_some(rows: QuerySet[Any], limit: int) -> int:
    keys = list(rows.order_by().values_list("pk", flat=True)[:limit])
    deleted, _ = rows.filter(pk__in=keys).delete()
    return deleted


def _is_deleted(meeting: Meeting) -> bool:
    """Delete it; False for an error that is this meeting's own. Raises what a database raises that is away."""
    try:
        meeting.delete()
    except DatabaseError as error:
        if supervise.outage_of(error) is not None:
            raise
        return False
    return True


def _overdue(now: datetime) -> QuerySet[Meeting]:
    """Those not stored, soon after their end; recordings that never arrived; the others when their text is too old."""
    is_over = Q(state=State.ENDED, ended_at__lt=now - LAST_WORDS) | _silent_since(now - ABANDONED)
    overdue = Q(is_over, is_ephemeral=True) | Q(pk__in=uploads.unfinished_since(now - UNFINISHED))
    if (days := settings.ENVIRONMENT.keep_text_days) is not None:
        before = now - timedelta(days=days)
        spoken = Exists(Caption.objects.filter(meeting=OuterRef("pk")))
        overdue |= Q(ended_at__lt=before) | Q(~spoken, created_at__lt=before) | Q(_silent_since(before), ended_at=None)
    return Meeting.objects.filter(overdue)


def _silent_since(before: datetime) -> Q:
    """Nothing was said since then, in meetings that are older; only of these are captions looked for."""
    return Q(~Exists(Caption.objects.filter(meeting=OuterRef("pk"), created_at__gte=before)), created_at__lt=before)


def _with_old_sound(now: datetime) -> Iterator[str]:
    """Those over for too long whose recording, or whose failed upload, is still there."""
    days = settings.ENVIRONMENT.keep_audio_days
    if days is None:
        return
    kept = Q(keep_recording=True) | Q(upload__state=UploadState.FAILED)
    old = Meeting.objects.filter(kept, ended_at__lt=now - timedelta(days=days))
    sounds = _sounds()
    while some := list(islice(sounds, ROWS_PER_QUERY)):
        yield from old.filter(pk__in=some).values_list("pk", flat=True)


def _sounds() -> Iterator[str]:
    """Ids of the meetings that have files of sound."""
    folders = (recordings.folder(), upload_files.folder())
    return iter(sorted({path.stem for folder in folders if folder.is_dir() for path in folder.iterdir()}))
