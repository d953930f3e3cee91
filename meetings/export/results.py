"""Transcript files of meetings in the results storage: one folder per meeting, one file per format.

Which files are due is derived from the rows, so a change after the end of a meeting (a name, a summary) is stored too.
"""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from django.db.models import F, Q
from django.utils import timezone

from meetings.export.formats import FORMATS, render_transcript
from meetings.export.storages import S3, open_storage
from meetings.models import Meeting, State, Upload, UploadState
from meetings.store import tombstones

FOLDER_NAME = "transcript"
RESULTS_CLAIM_TTL = timedelta(minutes=10)
"""Longer than a storage may take."""

SHORTEST_PAUSE, LONGEST_PAUSE = timedelta(seconds=4), timedelta(hours=1)


def results_storage() -> Storage:
    """Return the storage configured in the settings."""
    place = settings.ENVIRONMENT.results
    return open_storage(place if place.startswith(S3) else str(settings.ENVIRONMENT.data / "results"))


def file_name(meeting_id: str, format_name: str) -> str:
    """Return the path within the storage."""
    return f"{meeting_id}/{FOLDER_NAME}.{format_name}"


def due(*, limit: int) -> list[str]:
    """Return ended meetings whose files are missing or older than their transcript.

    Failed ones are left out during their backoff, and so are recordings that were refused: they have no transcript.
    """
    which = settings.ENVIRONMENT.results_of
    if which == "none":
        return []
    meetings = Meeting.objects.filter(state=State.ENDED, is_ephemeral=False).exclude(results_seq=F("last_seq"))
    meetings = meetings.filter(Q(results_not_before=None) | Q(results_not_before__lte=timezone.now()))
    meetings = meetings.exclude(last_seq=0, pk__in=Upload.objects.filter(state=UploadState.FAILED).values("pk"))
    if which == "uploads":
        meetings = meetings.filter(pk__in=Upload.objects.values("pk"))
    return list(meetings.order_by("ended_at").values_list("pk", flat=True)[:limit])


def claim(meeting_id: str) -> int | None:
    """Claim a meeting's files; return the number of the attempt, or None if another worker has it.

    The attempt is counted before it is made. If it kills the worker, it is due again after RESULTS_CLAIM_TTL.
    """
    found = Meeting.objects.filter(pk=meeting_id).values_list("results_attempts", "results_not_before").first()
    if found is None:
        return None
    attempts, not_before = found
    mine = Meeting.objects.filter(pk=meeting_id, results_not_before=not_before, results_attempts=attempts)
    is_mine = mine.update(results_attempts=attempts + 1, results_not_before=timezone.now() + RESULTS_CLAIM_TTL)
    return attempts + 1 if is_mine else None


def defer(meeting_id: str, attempt: int) -> timedelta:
    """Back off after a failed attempt, without delaying other meetings; return the pause."""
    pause = min(LONGEST_PAUSE, SHORTEST_PAUSE * 2 ** min(attempt - 1, 20))
    Meeting.objects.filter(pk=meeting_id).update(results_not_before=timezone.now() + pause)
    return pause


def store(meeting_id: str, storage: Storage) -> bool:
    """Store all formats again, each file completely or not at all; return False if the meeting was deleted.

    Raises the errors of the storage (`storages.storage_errors`).
    """
    meeting = Meeting.objects.filter(pk=meeting_id).first()
    if meeting is None:
        return False
    for format_name in FORMATS:
        content = render_transcript(meeting, format_name).content
        storage.save(file_name(meeting_id, format_name), ContentFile(content))
    stored = {"results_seq": meeting.last_seq, "results_attempts": 0, "results_not_before": None}
    if not Meeting.objects.filter(pk=meeting_id).update(**stored):
        tombstones.put_if_gone(meeting_id, has_results=True)  # deleted in the meantime
    return True


def delete(meeting_id: str, storage: Storage) -> None:
    """Delete the files of a deleted meeting. Raises the errors of the storage."""
    for format_name in FORMATS:
        storage.delete(file_name(meeting_id, format_name))
    storage.delete(meeting_id)
