"""The verbs over a meeting's rows. Every change of what people read goes through here and gets the next `seq`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from inference.types import FinalCaption, Progress
from meetings.models import Caption, Meeting, State


class LeaseLost(Exception):
    """Another worker has taken the meeting over; what this one decoded must not be stored."""

    def __init__(self, meeting_id: str) -> None:
        super().__init__(f"Meeting {meeting_id} is now another worker's.")
        self.meeting_id = meeting_id


class NoSuchMeeting(Exception):
    """The meeting does not exist, or no longer does."""

    def __init__(self, meeting_id: str) -> None:
        super().__init__(f"There is no meeting {meeting_id}.")
        self.meeting_id = meeting_id


@dataclass(frozen=True, slots=True)
class Lease:
    """A worker's right to write one meeting, as fenced by the database."""

    meeting_id: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What one decoding step found out about one meeting."""

    lease: Lease
    finals: Sequence[FinalCaption]
    progress: Progress | None


def take_lease(meeting_id: str) -> Meeting:
    """Fences off every earlier worker of the meeting and returns its row.

    Raises:
        NoSuchMeeting: the meeting was deleted.
    """
    with transaction.atomic():
        if not Meeting.objects.filter(pk=meeting_id).update(lease_epoch=F("lease_epoch") + 1):
            raise NoSuchMeeting(meeting_id)
        return Meeting.objects.get(pk=meeting_id)


def commit(batch: Batch) -> int:
    """Stores finals and cursor in one transaction; returns the meeting's newest `seq`.

    A final that is already stored with the same content changes nothing, so a step repeated after a crash is harmless.

    Raises:
        LeaseLost: a newer worker owns the meeting; nothing was stored.
    """
    with transaction.atomic():
        meeting = Meeting.objects.select_for_update().filter(pk=batch.lease.meeting_id).first()
        if meeting is None or meeting.lease_epoch != batch.lease.epoch:
            raise LeaseLost(batch.lease.meeting_id)
        for final in batch.finals:
            _store(meeting, final)
        if batch.progress is not None:
            meeting.cursor, meeting.checkpoint = batch.progress.position, batch.progress.checkpoint
        meeting.save(update_fields=("last_seq", "cursor", "checkpoint"))
        return meeting.last_seq


def captions_after(meeting_id: str, seq: int, *, limit: int) -> list[Caption]:
    """The present form of up to `limit` captions changed since `seq`, oldest change first."""
    return list(Caption.objects.filter(meeting_id=meeting_id, seq__gt=seq).order_by("seq")[:limit])


def last_seq(meeting_id: str) -> int:
    """Number of the newest stored change; 0 when there is none or the meeting is gone."""
    return Meeting.objects.filter(pk=meeting_id).values_list("last_seq", flat=True).first() or 0


def set_state(meeting_id: str, state: State) -> bool:
    """Moves the meeting to `state`; says whether that was a change."""
    changes: dict[str, object] = {"state": state}
    if state is State.ENDED:
        changes["ended_at"] = timezone.now()
    changed = Meeting.objects.filter(pk=meeting_id).exclude(state=state).update(**changes)
    if changed and state is State.LIVE:
        Meeting.objects.filter(pk=meeting_id, started_at=None).update(started_at=timezone.now())
    return bool(changed)


def set_language(meeting_id: str, language: str) -> None:
    """Sets the spoken language from here on."""
    Meeting.objects.filter(pk=meeting_id).update(language=language)


def add_missing(meeting_id: str, seconds: float) -> None:
    """Counts seconds that the host's browser lost for good."""
    Meeting.objects.filter(pk=meeting_id).update(missing_s=F("missing_s") + seconds)


def _store(meeting: Meeting, final: FinalCaption) -> None:
    content = {
        "start": final.start,
        "end": final.end,
        "language": final.language,
        "text": final.text,
        "words": [
            {"start": word.start, "end": word.end, "text": word.text, "probability": word.probability}
            for word in final.words
        ],
    }
    stored = Caption.objects.filter(meeting=meeting, segment=final.segment).first()
    if stored is not None and all(getattr(stored, name) == value for name, value in content.items()):
        return
    meeting.last_seq += 1
    if stored is None:
        Caption.objects.create(meeting=meeting, segment=final.segment, seq=meeting.last_seq, **content)
        return
    Caption.objects.filter(pk=stored.pk).update(seq=meeting.last_seq, revision=F("revision") + 1, **content)
