"""How long what is kept: meetings that are not stored, sound, text, and what only machinery needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Max, Q, QuerySet
from django.utils import timezone

from meetings.accounts.models import EndedSignIn
from meetings.audio import recordings
from meetings.models import Meeting, State, UploadState
from meetings.rows.deletion import one_erasure
from meetings.uploading import chunks

LAST_WORDS = timedelta(minutes=1)
"""How long the captions of a meeting that is not stored can be read after its end."""

ABANDONED = timedelta(days=1)
"""A meeting that is not stored and that nobody ended is over when it was silent for so long."""


@dataclass(slots=True)
class Purge:
    """What was deleted, or would be: ids of meetings."""

    meetings: list[str] = field(default_factory=list)
    """Deleted with everything of theirs."""
    recordings: list[str] = field(default_factory=list)
    """Their sound is deleted, their text stays."""


def purge(now: datetime | None = None, *, is_rehearsal: bool = False) -> Purge:
    """Deletes what is older than it may be; `is_rehearsal`: only says what that would be."""
    now = now or timezone.now()
    found = Purge()
    with one_erasure():
        for meeting in _overdue(now):
            found.meetings.append(meeting.pk)
            if not is_rehearsal:
                meeting.delete()
    for meeting_id in _with_old_sound(now):
        found.recordings.append(meeting_id)
        if not is_rehearsal:
            recordings.delete(meeting_id)
            chunks.delete(meeting_id)
    if not is_rehearsal:
        EndedSignIn.objects.filter(ended_at__lt=now - timedelta(seconds=settings.SESSION_COOKIE_AGE)).delete()
    return found


def _overdue(now: datetime) -> QuerySet[Meeting]:
    """Those not stored, soon after their end; the others when their text is too old."""
    silent = Q(last_at__lt=now - ABANDONED) | Q(last_at=None, created_at__lt=now - ABANDONED)
    overdue = Q(is_ephemeral=True) & (Q(state=State.ENDED, ended_at__lt=now - LAST_WORDS) | silent)
    if (days := settings.ENVIRONMENT.keep_text_days) is not None:
        before = now - timedelta(days=days)
        overdue |= (
            Q(ended_at__lt=before) | Q(created_at__lt=before, last_at=None) | Q(ended_at=None, last_at__lt=before)
        )
    return Meeting.objects.annotate(last_at=Max("captions__created_at")).filter(overdue)


def _with_old_sound(now: datetime) -> list[str]:
    """Those over for too long whose recording, or whose failed upload, is still there."""
    days = settings.ENVIRONMENT.keep_audio_days
    if days is None:
        return []
    kept = Q(keep_recording=True) | Q(upload__state=UploadState.FAILED)
    old = Meeting.objects.filter(kept, ended_at__lt=now - timedelta(days=days)).values_list("pk", flat=True)
    return [pk for pk in old if recordings.flac_path(pk).exists() or chunks.path(pk).exists()]
