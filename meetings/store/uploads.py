"""Uploaded recordings: announced, received, taken by a worker, captioned or failed.

A recording becomes a meeting like any other: a worker feeds it into the audio log (`meetings.worker.uploads`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils.translation import gettext as _

from inference.diarization.turns import SpeakerTurn, SpeakerTurns, speaker_name
from inference.media.options import DecodeOptions, track_options
from inference.media.protocol import MAX_CHANNELS, MAX_TRACKS
from meetings.broker.notify import notify_upload
from meetings.models import Meeting, Stage, State, Upload, UploadFailure, UploadState
from meetings.store import second_passes, upload_files
from meetings.store.nothing_heard import why_nothing
from meetings.text import clock

MAX_UPLOAD_ATTEMPTS = 3
"""Openings of a file without progress after which it is given up."""

MOST_UNFINISHED = 50
"""Incomplete uploads of one host."""

WAITING_LOOKED_AT = 50
"""Waiting uploads of each kind that a worker chooses from."""


MOST_OF_ROOM = 0.75
"""Share of the room for uploads that those of one host may take beyond the first. The rest is for other people."""


class TooManyUnfinished(Exception):
    """The host has too many recordings that are not done; the message is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Announced:
    """A browser's description of a file, sent before its content."""

    name: str
    size: int
    """Bytes."""
    modified: int
    """Milliseconds since 1970."""
    input_format: str = ""
    """What a file without a header holds (`inference.media.raw_formats`)."""
    track: str = ""
    """Number of the audio track, or `all` (`inference.media.options.track_options`)."""
    is_speaker_per_channel: bool = False
    """Whether each channel is a speaker of its own."""
    is_read_again: bool = True
    """Whether it is read a second time when it is captioned."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found while a file was read."""

    tracks: int = 1
    """Audio tracks in the file."""
    heard: Collection[int] = (0,)
    """Indexes of those that are captioned."""
    sound: str = ""
    """What they hold (`inference.speech.recorded_file.Sound`)."""
    channel_spans: Sequence[tuple[float, float, int]] = ()
    """Start and end in seconds, and channel, of speech, if channels are speakers."""


def begin(meeting: Meeting, file: Announced, *, is_awaited: bool = False) -> Upload:
    """Store the meeting with an empty file and reserve space. Raises upload_files.DiskFull, TooManyUnfinished.

    `is_awaited`: a program waits for the text, so it comes before other recordings.
    """
    with upload_files.announcing():
        return begin_announced(meeting, file, is_awaited=is_awaited)


def begin_announced(meeting: Meeting, file: Announced, *, is_awaited: bool) -> Upload:
    """Do the same, for a caller within `upload_files.announcing`."""
    _require_few(meeting.owner_id)
    upload_files.require_room(file.size + outstanding())
    _require_share(meeting.owner_id, file.size)
    with transaction.atomic():
        meeting.save()
        upload = Upload.objects.create(meeting=meeting, is_awaited=is_awaited, **asdict(file))
        upload_files.create(meeting.pk)
    return upload


def outstanding() -> int:
    """Return the bytes that are announced but have not arrived."""
    announced = Upload.objects.filter(state=UploadState.RECEIVING).values_list("pk", "size")
    return sum(max(0, size - upload_files.received(meeting_id)) for meeting_id, size in announced)


def unfinished_since(before: datetime) -> list[str]:
    """Return incomplete uploads that received nothing since then."""
    receiving = Upload.objects.filter(state=UploadState.RECEIVING, created_at__lt=before).values_list("pk", flat=True)
    return [meeting_id for meeting_id in receiving if (upload_files.touched_at(meeting_id) or before) <= before]


def failed_before(before: datetime) -> list[str]:
    """Return uploads that failed before then and still have a file. Those set aside still need theirs."""
    failed = Upload.objects.filter(state=UploadState.FAILED, created_at__lt=before)
    over = failed.filter(Q(meeting__ended_at=None) | Q(meeting__ended_at__lt=before))
    old = over.exclude(failure=UploadFailure.SET_ASIDE).values_list("pk", flat=True)
    return [
        meeting_id for meeting_id in old if (at := upload_files.touched_at(meeting_id)) is not None and at <= before
    ]


def _require_few(owner_id: int | None) -> None:
    unfinished = Upload.objects.filter(meeting__owner_id=owner_id, state=UploadState.RECEIVING)
    if unfinished.count() >= MOST_UNFINISHED:
        sentence = _("%(count)d uploads of yours have not arrived whole, the most allowed. Finish or delete some.")
        raise TooManyUnfinished(sentence % {"count": MOST_UNFINISHED})


def _require_share(owner_id: int | None, size: int) -> None:
    """Raise TooManyUnfinished if `size` more bytes make this host's files take more than MOST_OF_ROOM."""
    theirs = Upload.objects.filter(meeting__owner_id=owner_id).exclude(state=UploadState.READY)
    taken = sum(_bytes_of(upload) for upload in theirs)
    room = upload_files.room() - outstanding() + taken
    if owner_id is not None and taken and taken + size > MOST_OF_ROOM * room:
        raise TooManyUnfinished(
            _("Your recordings take most of the room on the server. Wait until some are captioned, or delete some.")
        )


def _bytes_of(upload: Upload) -> int:
    """Return what its file takes, or will take when it has arrived."""
    return upload.size if upload.state == UploadState.RECEIVING else upload_files.received(upload.pk)


def is_upload(meeting_id: str) -> bool:
    """Return whether the meeting is made from a recording."""
    return Upload.objects.filter(pk=meeting_id).exists()


def finish_receiving(meeting_id: str) -> None:
    """Mark the file as complete; the next free worker takes it."""
    Upload.objects.filter(pk=meeting_id, state=UploadState.RECEIVING).update(state=UploadState.WAITING)
    transaction.on_commit(partial(notify_upload, meeting_id))


def waiting(*, but_of: Collection[int] = (), limit: int = WAITING_LOOKED_AT) -> list[Upload]:
    """Return uploads that no worker has taken: the `limit` oldest, then as many of those that are short or awaited.

    `but_of`: accounts whose uploads are left out.
    """
    rows = Upload.objects.filter(state=UploadState.WAITING).select_related("meeting")
    rows = rows.exclude(meeting__owner_id__in=but_of)
    oldest, urgent = rows.order_by("created_at")[:limit], rows.order_by("-is_awaited", "size")[:limit]
    return list({upload.pk: upload for upload in (*oldest, *urgent)}.values())


def await_text(meeting_id: str) -> None:
    """Store that a program waits for the text from now on, so that it comes before other recordings."""
    Upload.objects.filter(pk=meeting_id, is_awaited=False).update(is_awaited=True)


def awaited(meeting_ids: Collection[str]) -> set[str]:
    """Return those uploads for whose text a program waits."""
    return set(Upload.objects.filter(pk__in=meeting_ids, is_awaited=True).values_list("pk", flat=True))


def take(upload: Upload) -> bool:
    """Take the upload; return whether this worker got it."""
    waiting = Upload.objects.filter(pk=upload.pk, state=UploadState.WAITING)
    return bool(waiting.update(state=UploadState.CAPTIONING))


def abandoned(active: Collection[str]) -> list[Upload]:
    """Return taken uploads that are neither ended nor active: their worker died right after taking them."""
    taken = Upload.objects.filter(state=UploadState.CAPTIONING).exclude(meeting__state=State.ENDED)
    return list(taken.exclude(pk__in=active).select_related("meeting"))


def find(meeting_id: str) -> Upload | None:
    """Return the upload; None: it was deleted."""
    return Upload.objects.filter(pk=meeting_id).select_related("meeting").first()


def open_again(meeting_id: str) -> Upload | None:
    """Do the same and count an attempt. An upload that was set aside is captioned again."""
    Upload.objects.filter(pk=meeting_id).update(attempts=F("attempts") + 1)
    take_up_again(meeting_id)
    return find(meeting_id)


def take_up_again(meeting_id: str) -> None:
    """Let an upload that was set aside be captioned again."""
    set_aside = Upload.objects.filter(pk=meeting_id, state=UploadState.FAILED, failure=UploadFailure.SET_ASIDE)
    set_aside.update(state=UploadState.CAPTIONING, failure="", attempts=1)


def went_on(meeting_id: str) -> None:
    """Reset the attempts: the file was read considerably further."""
    Upload.objects.filter(pk=meeting_id).update(attempts=0, failure="")


def set_length(meeting_id: str, seconds: float | None) -> None:
    """Store the length of the audio; None: not known yet."""
    Upload.objects.filter(pk=meeting_id).update(seconds=seconds)


def note_failure(meeting_id: str, failure: UploadFailure) -> None:
    """Store how the last attempt ended; another one may follow."""
    Upload.objects.filter(pk=meeting_id).update(failure=failure)


def finish(
    meeting_id: str,
    *,
    seconds: float,
    missing_s: float | None,
    failure: UploadFailure | None = None,
    reading: Reading | None = None,
) -> None:
    """Store that the file was read, completely or as far as possible; `settle` follows when all of it is captioned.

    Args:
        seconds: Length of the audio that was read.
        missing_s: Seconds missing from the file; None: unknown.
        failure: Why it was not read to its end.
        reading: What was found; None: it was not read.
    """
    found = {} if reading is None else _found(reading)
    with transaction.atomic():
        Upload.objects.filter(pk=meeting_id).update(
            seconds=seconds, missing_s=missing_s, failure=failure or "", **found
        )
        Meeting.objects.filter(pk=meeting_id).update(missing_s=missing_s or 0.0)


def _found(reading: Reading) -> dict[str, Any]:
    heard = ",".join(str(index + 1) for index in sorted(reading.heard))
    spans = [[round(start, 2), round(end, 2), channel] for start, end, channel in reading.channel_spans]
    return {"tracks": reading.tracks, "tracks_heard": heard, "sound": reading.sound, "channel_turns": spans or None}


def decode_options(upload: Upload) -> DecodeOptions:
    """Return how its file is to be read."""
    track, tracks = track_options(upload.track)
    return DecodeOptions(upload.name, upload.input_format, track, tracks, upload.is_speaker_per_channel)


def has_speaker_per_channel(meeting_id: str) -> bool:
    """Return whether the meeting is made from a recording whose channels are speakers."""
    return Upload.objects.filter(pk=meeting_id, is_speaker_per_channel=True).exists()


def channel_turns(meeting_id: str) -> SpeakerTurns | None:
    """Return who speaks when by the channels of the recording; None: there is no speech."""
    upload = Upload.objects.filter(pk=meeting_id).first()
    if upload is None or not upload.channel_turns:
        return None
    turns = tuple(SpeakerTurn(start, end, speaker_name(channel)) for start, end, channel in upload.channel_turns)
    return SpeakerTurns(0.0, math.inf, turns)


def fail(meeting_id: str, failure: UploadFailure) -> None:
    """Give the upload up. Captions stay, and so does the file for some days."""
    Upload.objects.filter(pk=meeting_id).update(state=UploadState.FAILED, failure=failure)


def settle() -> None:
    """Mark uploads of ended meetings as ready, deleting their files unless they are read again, or as failed."""
    taken = Upload.objects.filter(state=UploadState.CAPTIONING)
    for upload in list(taken.filter(meeting__state=State.ENDED)):
        if not upload.failure and not (upload.is_read_again and second_passes.want(upload.pk)):
            upload_files.delete(upload.pk)
        state = UploadState.FAILED if upload.failure else UploadState.READY
        taken.filter(pk=upload.pk).update(state=state)
    failed = {"meeting__stage_failures__stage": Stage.CAPTIONS, "meeting__stage_failures__set_aside_at__isnull": False}
    for meeting_id in list(taken.filter(**failed).values_list("pk", flat=True)):
        fail(meeting_id, UploadFailure.SET_ASIDE)


def sentence(upload: Upload) -> str:
    """Return why it is not captioned to its end, for people; empty: it is, or may still be."""
    if upload.state != UploadState.FAILED:
        return ""
    time = clock(upload.seconds or 0.0)
    if upload.failure == UploadFailure.DAMAGED:
        return _("The file is damaged after %(time)s. What comes before is captioned.") % {"time": time}
    why = _reason(UploadFailure(upload.failure)) if upload.failure else ""
    if upload.failure in NOTHING_HEARD or not upload.seconds:
        return why
    return " ".join([why, _("What comes before %(time)s is captioned.") % {"time": time}])


NOTHING_HEARD = (UploadFailure.MISSING, UploadFailure.SET_ASIDE)
"""Failures that do not say how far the file was read."""


def _reason(failure: UploadFailure) -> str:
    hours = f"{settings.ENVIRONMENT.longest_media_s / 3600:g}"
    match failure:
        case UploadFailure.PLAYLIST:
            return _("This is a list of other files. Upload the recordings themselves.")
        case UploadFailure.SAMPLE_RATE:
            return _("The sample rate of this file is outside of what can be read, 4 to 384 kHz.")
        case UploadFailure.CHANNELS:
            return _("This file has more than %(count)d channels. Mix it down and upload it again.") % {
                "count": MAX_CHANNELS
            }
        case UploadFailure.TRACKS:
            return _("This file has more than %(count)d audio tracks.") % {"count": MAX_TRACKS}
        case UploadFailure.NO_TRACK:
            return _("This file has no audio track of that number.")
        case UploadFailure.NO_HEADER:
            return _("This file does not say how its sound is stored. Upload it again, and choose its format.")
        case UploadFailure.TOO_LONG:
            return _("This recording is longer than %(hours)s hours, the most that is captioned here.") % {
                "hours": hours
            }
        case UploadFailure.MEMORY:
            return _("This file takes more memory to decode than one file may have.")
        case UploadFailure.TIME:
            return _("This file takes too long to decode.")
        case UploadFailure.CRASHED:
            return _("The decoder ended each time it read this file.")
        case UploadFailure.HUNG:
            return _("The decoder got no further in this file.")
        case UploadFailure.MISSING:
            return _("The file is no longer on the server. Delete this entry and upload it again.")
        case UploadFailure.SET_ASIDE:
            return _("This recording could not be captioned. Its sound is kept, and is tried again after an update.")
    return _("There is no sound in this file that can be read. Is it a recording?")


def note(upload: Upload) -> str:
    """Return what is missing from a recording that is ready, and what was chosen, for people; empty: nothing."""
    if upload.state != UploadState.READY:
        return ""
    return " ".join(filter(None, (_missing(upload), _tracks(upload))))


def why_empty(meeting: Meeting, upload: Upload | None) -> str:
    """Return why the transcript of a recording that is ready has no lines; empty: it has some, or is no recording."""
    if upload is None or upload.state != UploadState.READY or meeting.last_seq:
        return ""
    return why_nothing(upload.sound)


def _missing(upload: Upload) -> str:
    if not upload.missing_s:
        return ""
    return _("The file is damaged: %(seconds)s seconds of it could not be read.") % {
        "seconds": f"{max(0.1, upload.missing_s):.1f}"
    }


def _tracks(upload: Upload) -> str:
    """Return which of several tracks are captioned."""
    if upload.tracks == 1 or not upload.tracks_heard:
        return ""
    numbers = {"tracks": upload.tracks, "numbers": upload.tracks_heard.replace(",", ", ")}
    if "," in upload.tracks_heard:
        return _("The file has %(tracks)d audio tracks. Captioned are %(numbers)s, mixed.") % numbers
    return _("The file has %(tracks)d audio tracks. Captioned is number %(numbers)s.") % numbers
