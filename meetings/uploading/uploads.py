"""The verbs over uploaded recordings: announced, received, taken by a worker, captioned or failed.

A recording becomes a meeting like any other: a worker speaks it into the audio log (`meetings.workers.ingesting`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from meetings.models import Meeting, State, Upload, UploadFailure, UploadState
from meetings.uploading import chunks

MAX_ATTEMPTS = 5
"""Openings of a file without getting further in it, after which it is held to be what ends the worker."""


@dataclass(frozen=True, slots=True)
class Announced:
    """What a browser says of a file before it sends it."""

    name: str
    size: int
    """Bytes."""
    modified: int
    """Milliseconds since 1970."""


def begin(meeting: Meeting, file: Announced) -> Upload:
    """Stores the meeting with an empty file. Raises chunks.DiskFull."""
    chunks.require_room(file.size)
    with transaction.atomic():
        meeting.save()
        upload = Upload.objects.create(meeting=meeting, name=file.name, size=file.size, modified=file.modified)
        chunks.create(meeting.pk)
    return upload


def is_upload(meeting_id: str) -> bool:
    """Whether the meeting is made from a recording."""
    return Upload.objects.filter(pk=meeting_id).exists()


def finish_receiving(meeting_id: str) -> None:
    """The file is whole: the next worker that has time takes it."""
    Upload.objects.filter(pk=meeting_id, state=UploadState.RECEIVING).update(state=UploadState.WAITING)


def next_waiting() -> Upload | None:
    """The oldest that nobody has taken."""
    return Upload.objects.filter(state=UploadState.WAITING).select_related("meeting").order_by("created_at").first()


def take(upload: Upload) -> bool:
    """Whether it was still to be had: one of several workers gets it."""
    waiting = Upload.objects.filter(pk=upload.pk, state=UploadState.WAITING)
    return bool(waiting.update(state=UploadState.CAPTIONING))


def abandoned(active: Collection[str]) -> list[Upload]:
    """Taken, not at their end, and not among the meetings that workers look for: whoever took them died at once."""
    taken = Upload.objects.filter(state=UploadState.CAPTIONING).exclude(meeting__state=State.ENDED)
    return list(taken.exclude(pk__in=active).select_related("meeting"))


def open_again(meeting_id: str) -> Upload | None:
    """The upload, one attempt more; None when it was deleted."""
    Upload.objects.filter(pk=meeting_id).update(attempts=F("attempts") + 1)
    return Upload.objects.filter(pk=meeting_id).select_related("meeting").first()


def went_on(meeting_id: str) -> None:
    """The file could be read a good deal further."""
    Upload.objects.filter(pk=meeting_id).update(attempts=0)


def set_length(meeting_id: str, seconds: float | None) -> None:
    """The length of the sound; None: not known yet."""
    Upload.objects.filter(pk=meeting_id).update(seconds=seconds)


def fail(meeting_id: str, failure: UploadFailure) -> None:
    """It goes no further. What is captioned stays, and so does the file, until the meeting is deleted."""
    Upload.objects.filter(pk=meeting_id).update(state=UploadState.FAILED, failure=failure)


def settle() -> None:
    """Those whose meetings are over are ready; their files are no longer needed."""
    over = Upload.objects.filter(state=UploadState.CAPTIONING, meeting__state=State.ENDED)
    for meeting_id in list(over.values_list("pk", flat=True)):
        chunks.delete(meeting_id)
        Upload.objects.filter(pk=meeting_id, state=UploadState.CAPTIONING).update(state=UploadState.READY)


def sentence(upload: Upload) -> str:
    """What went wrong, for people; empty when nothing did."""
    match upload.failure:
        case UploadFailure.UNREADABLE:
            return _("There is no sound in this file that can be read. Is it a recording?")
        case UploadFailure.DAMAGED:
            return _("The file is damaged after %(time)s. What comes before is captioned.") % {
                "time": clock(upload.seconds or 0.0)
            }
        case UploadFailure.MISSING:
            return _("The file is no longer on the server. Delete this entry and upload it again.")
    return ""


def clock(seconds: float) -> str:
    """Hours, minutes and seconds."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
