"""Retention periods: meetings that are not stored, audio, text, and technical rows."""

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
from meetings.store import api_jobs, incoming_files, recordings, upload_files, uploads, webhooks
from meetings.store.deletion import one_erasure

LAST_SAMPLES_KEPT = timedelta(minutes=1)
"""How long the captions of an ephemeral meeting can be read after its end."""

UNFINISHED = timedelta(days=7)
"""An upload that received nothing for this long is given up; the file of a failed one is deleted."""

ABANDONED = timedelta(days=1)
"""An ephemeral meeting that was never ended is over after this much silence."""

TRIES_KEPT = timedelta(days=1)
"""How long wrong passwords are stored; they count for `AXES_COOLOFF_TIME`."""

LAG_KEPT = timedelta(days=90)
"""How long lag samples are stored for the charts of a meeting."""

ROWS_PER_QUERY = 500
"""Rows that one query names or deletes."""


@dataclass(slots=True)
class Purge:
    """Ids of meetings that were deleted, or would be."""

    meetings: list[str] = field(default_factory=list)
    """Deleted with everything that belongs to them."""
    recordings: list[str] = field(default_factory=list)
    """The audio is deleted, the text stays."""
    failed: list[str] = field(default_factory=list)
    """Due, but could not be deleted."""


def purge(
    now: datetime | None = None,
    *,
    is_rehearsal: bool = False,
    limit: int | None = None,
    but: Collection[str] = (),
) -> Purge:
    """Delete everything past its retention period.

    Args:
        is_rehearsal: Only report what would be deleted.
        limit: Maximum of meetings, and of further meetings' audio; None: all.
        but: Meetings to skip.
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
    """Delete technical rows that are no longer needed, `limit` of each kind at most; return how many.

    Also deletes files left by requests whose process died.
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
    """Delete the meeting; False: the error concerns this meeting only. Raises the errors of an unreachable database."""
    try:
        meeting.delete()
    except DatabaseError as error:
        if supervise.outage_of(error) is not None:
            raise
        return False
    return True


def _overdue(now: datetime) -> QuerySet[Meeting]:
    """Return meetings past their period.

    These are ephemeral meetings soon after their end, jobs that no program asks for, recordings that never arrived, and
    meetings with expired text.
    """
    is_over = Q(state=State.ENDED, ended_at__lt=now - LAST_SAMPLES_KEPT) | _silent_since(now - ABANDONED)
    overdue = Q(is_over, is_ephemeral=True, api_job=None) | Q(pk__in=uploads.unfinished_since(now - UNFINISHED))
    overdue |= Q(pk__in=api_jobs.unasked_since(now))
    if (days := settings.ENVIRONMENT.keep_text_days) is not None:
        before = now - timedelta(days=days)
        spoken = Exists(Caption.objects.filter(meeting=OuterRef("pk")))
        overdue |= Q(ended_at__lt=before) | Q(~spoken, created_at__lt=before) | Q(_silent_since(before), ended_at=None)
    return Meeting.objects.filter(overdue)


def _silent_since(before: datetime) -> Q:
    """Match older meetings in which nothing was said since then; captions are looked up for these only."""
    return Q(~Exists(Caption.objects.filter(meeting=OuterRef("pk"), created_at__gte=before)), created_at__lt=before)


def _with_old_sound(now: datetime) -> Iterator[str]:
    """Yield ended meetings past the period whose recording or failed upload still exists."""
    days = settings.ENVIRONMENT.keep_audio_days
    if days is None:
        return
    kept = Q(keep_recording=True) | Q(is_read_again=True) | Q(upload__state=UploadState.FAILED)
    kept |= Q(second_pass__is_sound_held=True)
    old = Meeting.objects.filter(kept, ended_at__lt=now - timedelta(days=days))
    sounds = _sounds()
    while some := list(islice(sounds, ROWS_PER_QUERY)):
        yield from old.filter(pk__in=some).values_list("pk", flat=True)


def _sounds() -> Iterator[str]:
    """Return the ids of meetings with audio files."""
    folders = (recordings.folder(), upload_files.folder())
    return iter(sorted({path.stem for folder in folders if folder.is_dir() for path in folder.iterdir()}))
