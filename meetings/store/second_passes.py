"""Second passes: recordings of ended meetings that are read again, and what that changes in their captions.

A worker claims one, and every write of it is fenced by the number of its claim. What a person corrected stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from inference.audio import SAMPLE_RATE
from inference.speech.revision import Line, Revision, is_whole, new_segment, revisions
from inference.speech.second_pass import Piece
from inference.types import Word
from meetings.models import UNSURE, Caption, Meeting, SecondPass, SecondPassState, State
from meetings.store import recordings, upload_files
from meetings.store.transcript import changing, corrected_captions, save_revision, words_as_stored

MAX_SECOND_PASS_ATTEMPTS = 3
"""Attempts without progress after which the captions stay as they are."""

CLAIM_TTL = timedelta(minutes=3)
"""Time after which the work of a worker that died is free; longer than a batch takes on a busy machine."""

AGAIN_AFTER = timedelta(seconds=15)

LOOKED_AT = 10
"""Waiting ones that a worker chooses from."""

LONGEST_WAIT = timedelta(days=7)
"""After it, sound that is kept for a second pass alone is deleted, even if no worker had time for it."""

PENDING = (SecondPassState.WAITING, SecondPassState.READING)


class ClaimLost(Exception):
    """Another worker reads the recording, or the meeting was deleted; nothing was stored."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's right to revise one meeting."""

    meeting_id: str
    epoch: int
    position: int
    """Samples that are read again for good."""


def is_on() -> bool:
    """Return whether recordings are read again here."""
    return bool(settings.ENVIRONMENT.second_pass)


def want(meeting_id: str) -> bool:
    """Have an ended meeting read again, once; return whether it is, or was. One without captions is not."""
    if not is_on() or not Caption.objects.filter(meeting_id=meeting_id).exclude(text="").exists():
        return False
    SecondPass.objects.get_or_create(meeting_id=meeting_id)
    return True


def want_after_end(meeting_id: str) -> None:
    """Have a recorded meeting read again; if it is not, delete the sound that was recorded for that alone."""
    meeting = Meeting.objects.filter(pk=meeting_id).first()
    if meeting is not None and not want(meeting_id) and not meeting.keep_recording:
        recordings.delete(meeting_id)


def is_pending(meeting: Meeting) -> bool:
    """Return whether captions may still be revised."""
    row = getattr(meeting, "second_pass", None)
    return row is not None and row.state in PENDING


def source(meeting_id: str) -> Path | None:
    """Return the file with the meeting's sound; None: there is none any more."""
    for path in (recordings.flac_path(meeting_id), upload_files.path(meeting_id)):
        if path.exists():
            return path
    return None


def claim() -> Claim | None:
    """Claim the second pass that has waited longest and count an attempt; None: there is none."""
    now = timezone.now()
    free = Q(state=SecondPassState.WAITING) | Q(state=SecondPassState.READING, claimed_until__lt=now)
    due = SecondPass.objects.filter(free, Q(not_before=None) | Q(not_before__lte=now), meeting__state=State.ENDED)
    awaited_first = F("meeting__upload__is_awaited").desc(nulls_last=True)
    for row in due.order_by(awaited_first, "created_at")[:LOOKED_AT]:
        if row.attempts >= MAX_SECOND_PASS_ATTEMPTS:
            SecondPass.objects.filter(pk=row.pk, epoch=row.epoch).update(**_ended(SecondPassState.FAILED))
            continue
        mine = SecondPass.objects.filter(free, pk=row.pk, epoch=row.epoch).update(
            state=SecondPassState.READING,
            epoch=F("epoch") + 1,
            attempts=F("attempts") + 1,
            claimed_until=now + CLAIM_TTL,
        )
        if mine:
            return Claim(row.pk, row.epoch + 1, row.position)
    return None


def renew(claim: Claim) -> None:
    """Keep the claim. Raises ClaimLost."""
    if not _rows(claim).update(claimed_until=timezone.now() + CLAIM_TTL):
        raise ClaimLost


def release(claim: Claim, *, error: str = "") -> None:
    """Give the claim back. Without an error of its own the attempt does not count."""
    row = _rows(claim).first()
    if row is None:
        return
    if not error:
        _rows(claim).update(state=SecondPassState.WAITING, claimed_until=None, attempts=max(0, row.attempts - 1))
    elif row.attempts >= MAX_SECOND_PASS_ATTEMPTS:
        _rows(claim).update(**_ended(SecondPassState.FAILED), error=error[:120])
    else:
        later = timezone.now() + AGAIN_AFTER
        _rows(claim).update(state=SecondPassState.WAITING, claimed_until=None, not_before=later, error=error[:120])


def revise(claim: Claim, pieces: Sequence[Piece], *, is_last: bool = False) -> int | None:
    """Store what was read again and how far; return the meeting's newest `seq`.

    Returns None, and stores nothing, if a caption reaches beyond the last piece: more is needed then, unless it
    `is_last`. Raises ClaimLost.
    """
    start, end = pieces[0].start, pieces[-1].end
    with changing(claim.meeting_id) as meeting:
        rows = Caption.objects.filter(meeting=meeting, start__lt=end, end__gt=start).exclude(text="")
        captions = {caption.segment: caption for caption in rows.order_by("start", "segment") if caption.start >= start}
        corrected = corrected_captions(caption.pk for caption in captions.values())
        lines = [_line(caption, is_fixed=caption.pk in corrected) for caption in captions.values()]
        if not is_last and not is_whole(lines, end):
            return None
        told = {"position": round(end * SAMPLE_RATE), "attempts": 0, "claimed_until": timezone.now() + CLAIM_TTL}
        if not _rows(claim).update(**told):
            raise ClaimLost
        for revision in revisions(lines, pieces):
            _store(meeting, revision, captions)
    return meeting.last_seq


def finish(claim: Claim) -> None:
    """Store that all of it was read again. Raises ClaimLost."""
    if not _rows(claim).update(**_ended(SecondPassState.DONE)):
        raise ClaimLost


def let_sounds_go() -> None:
    """Delete the sound that was kept for second passes alone and is needed no more."""
    late = SecondPass.objects.filter(state__in=PENDING, created_at__lt=timezone.now() - LONGEST_WAIT)
    if late.exists():  # an update would lock SQLite each time
        late.update(**_ended(SecondPassState.FAILED))
    over = SecondPass.objects.exclude(state__in=PENDING).filter(is_sound_held=True).select_related("meeting")
    for row in over:
        upload_files.delete(row.pk)
        if not row.meeting.keep_recording:
            recordings.delete(row.pk)
        SecondPass.objects.filter(pk=row.pk).update(is_sound_held=False)


def sentence(meeting: Meeting) -> str:
    """Return what people should know of the second pass; empty: nothing."""
    row = getattr(meeting, "second_pass", None)
    if row is not None:
        return _state_sentence(SecondPassState(row.state))
    if not is_on() or meeting.state != State.ENDED or hasattr(meeting, "upload") or not meeting.last_seq:
        return ""
    return _("There was no second reading: the sound of this meeting was not kept.")


def _state_sentence(state: SecondPassState) -> str:
    match state:
        case SecondPassState.DONE:
            return _("The recording has been read again, and the transcript corrected by it.")
        case SecondPassState.FAILED:
            return _("The recording could not be read again. The transcript is that of the first reading.")
    return _("The recording is being read again: lines may still change.")


def _ended(state: SecondPassState) -> dict[str, object]:
    return {"state": state, "ended_at": timezone.now(), "claimed_until": None}


def _rows(claim: Claim) -> QuerySet[SecondPass]:
    return SecondPass.objects.filter(pk=claim.meeting_id, epoch=claim.epoch, state=SecondPassState.READING)


def _line(caption: Caption, *, is_fixed: bool) -> Line:
    words = tuple(Word(**word) for word in caption.words)
    fixed = is_fixed or caption.is_text_fixed
    return Line(caption.segment, caption.start, caption.end, caption.language, caption.text, words, fixed)


def _store(meeting: Meeting, revision: Revision, captions: dict[str, Caption]) -> None:
    words = words_as_stored(revision.words)
    times = {"start": revision.words[0].start, "end": revision.words[-1].end} if words else {}
    if revision.line is not None:
        save_revision(meeting, captions[revision.line.segment], text=revision.text, words=words, **times)
        return
    segment = new_segment(revision)
    stored = Caption.objects.filter(meeting=meeting, segment=segment).first()
    has_speakers = Caption.objects.filter(meeting=meeting).exclude(speaker="").exists()
    save_revision(
        meeting,
        stored,
        segment=segment,
        utterance=segment,
        speaker=UNSURE if has_speakers else "",
        language=revision.language,
        text=revision.text,
        words=words,
        **times,
    )
