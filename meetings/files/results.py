"""A meeting's transcript as files in the results storage: one folder a meeting, one file a format.

That files are due is asked of the rows: whatever changes after a meeting has ended (a name, a summary) is stored again.
"""

from __future__ import annotations

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from django.db.models import F

from meetings.files.exports import FORMATS, render_transcript
from meetings.files.storages import S3, open_storage
from meetings.models import DiscardedResults, Meeting, State, Upload

NAME = "transcript"


def results_storage() -> Storage:
    """The storage that the settings name."""
    place = settings.ENVIRONMENT.results
    return open_storage(place if place.startswith(S3) else str(settings.ENVIRONMENT.data / "results"))


def file_name(meeting_id: str, format_name: str) -> str:
    """Within the storage."""
    return f"{meeting_id}/{NAME}.{format_name}"


def due(*, limit: int) -> list[str]:
    """Meetings that are over and whose files are not there, or are older than their transcript."""
    which = settings.ENVIRONMENT.results_of
    if which == "none":
        return []
    meetings = Meeting.objects.filter(state=State.ENDED, is_ephemeral=False).exclude(results_seq=F("last_seq"))
    if which == "uploads":
        meetings = meetings.filter(pk__in=Upload.objects.values("pk"))
    return list(meetings.order_by("ended_at").values_list("pk", flat=True)[:limit])


def store(meeting_id: str, storage: Storage) -> bool:
    """Stores every format anew, each file whole or not at all; False when the meeting is gone.

    Raises what the storage raises (`storages.storage_errors`).
    """
    meeting = Meeting.objects.filter(pk=meeting_id).first()
    if meeting is None:
        return False
    for format_name in FORMATS:
        content = render_transcript(meeting, format_name).content
        storage.save(file_name(meeting_id, format_name), ContentFile(content))
    if not Meeting.objects.filter(pk=meeting_id).update(results_seq=meeting.last_seq):
        DiscardedResults.objects.get_or_create(pk=meeting_id)  # deleted meanwhile
    return True


def discarded(*, limit: int) -> list[str]:
    """Deleted meetings whose files are still there."""
    return list(DiscardedResults.objects.order_by("pk").values_list("pk", flat=True)[:limit])


def delete(meeting_id: str, storage: Storage) -> None:
    """Deletes the files of a deleted meeting, then the note that they are to be deleted."""
    for format_name in FORMATS:
        storage.delete(file_name(meeting_id, format_name))
    storage.delete(meeting_id)
    DiscardedResults.objects.filter(pk=meeting_id).delete()
