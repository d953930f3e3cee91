"""Rows of a meeting's transcript. Every change of what people read goes through this package and gets the next `seq`.

Speaker changes are in `speakers`, translations in `translations`; both use `changing`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from heapq import merge
from itertools import islice
from math import isfinite
from operator import attrgetter
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from inference.types import FinalCaption, Progress, Word
from meetings.models import Caption, Meeting, Speaker, State, Summary, Translation
from meetings.store.webhooks import announce


class LeaseLost(Exception):
    """Another worker has taken over the meeting; what this one decoded must not be stored."""

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
    """A worker's right to write one meeting, fenced by the database."""

    meeting_id: str
    epoch: int


Change = Caption | Speaker | Summary
"""Rows with a `seq`."""


def take_lease(meeting_id: str) -> Meeting:
    """Fence off every earlier worker of the meeting; return its row, with `is_leased` as it was before.

    Raises:
        NoSuchMeeting: the meeting was deleted.
    """
    with transaction.atomic():
        before = Meeting.objects.select_for_update().filter(pk=meeting_id).first()
        if before is None:
            raise NoSuchMeeting(meeting_id)
        Meeting.objects.filter(pk=meeting_id).update(lease_epoch=F("lease_epoch") + 1, is_leased=True)
        before.lease_epoch += 1
        return before


def is_current(lease: Lease) -> bool:
    """Return whether no other worker took the meeting since."""
    return Meeting.objects.filter(pk=lease.meeting_id, lease_epoch=lease.epoch).exists()


def release_lease(lease: Lease) -> None:
    """Mark the meeting as given back by its worker; a fenced-off worker changes nothing."""
    Meeting.objects.filter(pk=lease.meeting_id, lease_epoch=lease.epoch).update(is_leased=False)


@contextmanager
def changing(meeting_id: str, *, lease: Lease | None = None) -> Iterator[Meeting]:
    """Lock the meeting's row in a transaction; `last_seq` of the yielded row is stored at the end.

    Raises:
        LeaseLost: `lease` is given and a newer worker owns the meeting, or it was deleted.
        NoSuchMeeting: the meeting was deleted.
    """
    with transaction.atomic():
        meeting = Meeting.objects.select_for_update().filter(pk=meeting_id).first()
        if lease is not None and (meeting is None or meeting.lease_epoch != lease.epoch):
            raise LeaseLost(meeting_id)
        if meeting is None:
            raise NoSuchMeeting(meeting_id)
        before = meeting.last_seq
        yield meeting
        if meeting.last_seq != before:
            meeting.save(update_fields=("last_seq",))


def commit(
    lease: Lease,
    finals: Sequence[FinalCaption],
    progress: Progress | None,
    *,
    missing_s: float = 0.0,
    recorded_until: int | None = None,
) -> int:
    """Store finals and cursor in one transaction; return the meeting's newest `seq`.

    `missing_s`: seconds that the audio log should hold and does not. `recorded_until`: samples in the kept recording;
    None: no recording is kept. A final that is already stored with the same content changes nothing, so repeating a
    step after a crash is harmless.

    Raises:
        LeaseLost: a newer worker owns the meeting; nothing was stored.
    """
    with changing(lease.meeting_id, lease=lease) as meeting:
        for final in finals:
            _store(meeting, final)
        changed = []
        if progress is not None:
            meeting.cursor, meeting.checkpoint = progress.position, progress.checkpoint
            changed += ["cursor", "checkpoint"]
        if missing_s:
            meeting.missing_s += missing_s
            changed.append("missing_s")
        if recorded_until is not None and recorded_until != meeting.recorded_until:
            meeting.recorded_until = recorded_until
            changed.append("recorded_until")
        if changed:
            meeting.save(update_fields=changed)
    return meeting.last_seq


def changes_after(meeting_id: str, seq: int, *, limit: int) -> list[Change]:
    """Return up to `limit` captions (with translations), speakers and summaries changed since `seq`, by `seq`."""
    tables = (Caption.objects.prefetch_related("translations"), Speaker.objects.all(), Summary.objects.all())
    rows = (table.filter(meeting_id=meeting_id, seq__gt=seq).order_by("seq")[:limit] for table in tables)
    return list(islice(merge(*rows, key=attrgetter("seq")), limit))


def last_seq(meeting_id: str) -> int:
    """Return the number of the newest stored change; 0: there is none, or the meeting was deleted."""
    return Meeting.objects.filter(pk=meeting_id).values_list("last_seq", flat=True).first() or 0


def set_state(lease: Lease, state: State) -> bool:
    """Move the meeting to `state`; return whether that was a change. An ended meeting stays ended.

    Raises:
        LeaseLost: a newer worker owns the meeting; nothing was stored.
    """
    with changing(lease.meeting_id, lease=lease) as meeting:
        if meeting.state in (state, State.ENDED):
            return False
        meeting.state = state
        if state is State.ENDED:
            meeting.ended_at = timezone.now()
        if state is State.LIVE and meeting.started_at is None:
            meeting.started_at = timezone.now()
        meeting.save(update_fields=("state", "ended_at", "started_at"))
        if state is State.ENDED:
            announce(meeting, "meeting.ready")
    return True


def set_language(lease: Lease, language: str) -> None:
    """Set the spoken language from here on. Raises LeaseLost."""
    with changing(lease.meeting_id, lease=lease) as meeting:
        meeting.language = language
        meeting.save(update_fields=("language",))


def store_recorded_until(lease: Lease, samples: int) -> None:
    """Store that the audio before `samples` is in the kept recording. Raises LeaseLost."""
    with changing(lease.meeting_id, lease=lease) as meeting:
        meeting.recorded_until = samples
        meeting.save(update_fields=("recorded_until",))


def add_missing(meeting_id: str, seconds: float) -> None:
    """Add seconds that the host's browser lost permanently."""
    Meeting.objects.filter(pk=meeting_id).update(missing_s=F("missing_s") + seconds)


# ---- captions, for this module and its siblings --------------------------------------------------------------------


def parts_of(meeting: Meeting, utterance: str) -> list[Caption]:
    """Return the captions that an utterance is divided into, in order."""
    return parts_of_all(meeting, [utterance]).get(utterance, [])


def parts_of_all(meeting: Meeting, utterances: Collection[str]) -> dict[str, list[Caption]]:
    """Return the captions by utterance, in the order of `utterances`; those without captions are left out."""
    found: dict[str, list[Caption]] = {utterance: [] for utterance in utterances}
    for caption in Caption.objects.filter(meeting=meeting, utterance__in=utterances):
        found[caption.utterance].append(caption)
    return {
        utterance: sorted(parts, key=lambda part: _part(part.segment)) for utterance, parts in found.items() if parts
    }


def save_revision(meeting: Meeting, stored: Caption | None, **content: Any) -> bool:
    """Store a caption's new content as the meeting's next change; return whether anything changed.

    Translations of a replaced text are deleted. Those of a text that has grown stay until they are made again.
    """
    if stored is not None and all(getattr(stored, name) == value for name, value in content.items()):
        return False
    meeting.last_seq += 1
    if stored is None:
        Caption.objects.create(meeting=meeting, seq=meeting.last_seq, **content)
        return True
    Caption.objects.filter(pk=stored.pk).update(seq=meeting.last_seq, revision=F("revision") + 1, **content)
    if "text" in content and content["text"] != stored.text:
        translations = Translation.objects.filter(caption=stored)
        if stored.is_open and stored.text and content["text"].startswith(stored.text):
            translations.update(is_behind=True)
        else:
            translations.delete()
    return True


def bump_seq(meeting: Meeting, caption: Caption) -> None:
    """Give a caption the next `seq`, because a row that belongs to it has changed."""
    meeting.last_seq += 1
    Caption.objects.filter(pk=caption.pk).update(seq=meeting.last_seq, revision=F("revision") + 1)


def are_corrected(parts: Sequence[Caption]) -> bool:
    """Return whether a person corrected one of them or a translation; models then leave the text alone."""
    return any(part.is_text_fixed for part in parts) or bool(corrected_captions(part.pk for part in parts))


def corrected_captions(captions: Iterable[int]) -> set[int]:
    """Return those with a corrected translation."""
    rows = Translation.objects.filter(caption__in=list(captions), is_text_fixed=True)
    return set(rows.values_list("caption_id", flat=True))


def words_of(captions: Sequence[Caption]) -> tuple[Word, ...]:
    """Return all their words, in order."""
    return tuple(Word(**word) for caption in captions for word in caption.words)


def words_as_stored(words: Sequence[Word]) -> list[dict[str, Any]]:
    return [asdict(word) for word in words]


def _part(segment: str) -> int:
    """Return 0 for an utterance's first caption, 1 for `<id>.1`."""
    return int(segment.partition(".")[2] or 0)


def _storable(final: FinalCaption) -> FinalCaption:
    """Remove NUL from texts and NaN from numbers: databases reject both, so the caption would fail at every attempt."""
    words = tuple(
        replace(
            word, text=word.text.replace("\0", ""), probability=word.probability if isfinite(word.probability) else 0.0
        )
        for word in final.words
    )
    return replace(final, text=final.text.replace("\0", ""), words=words)


def _store(meeting: Meeting, final: FinalCaption) -> None:
    """Store an utterance; one that is already stored stays as it is, even if divided or corrected since."""
    final = _storable(final)
    parts = parts_of(meeting, final.segment)
    if are_corrected(parts) or _is_stored(parts, final):
        return
    save_revision(
        meeting,
        parts[0] if parts else None,
        segment=final.segment,
        utterance=final.segment,
        start=final.start,
        end=final.end,
        language=final.language,
        text=final.text,
        words=words_as_stored(final.words),
        is_open=final.is_open,
    )
    for leftover in parts[1:]:
        save_revision(meeting, leftover, text="", words=[])


def _is_stored(parts: Sequence[Caption], final: FinalCaption) -> bool:
    """Return whether `final`, or more of its utterance, is stored: a worker that resumes repeats what was sealed."""
    if not parts or parts[0].language != final.language:
        return False
    stored = words_of(parts)
    if final.is_open:
        return not parts[0].is_open or stored[: len(final.words)] == final.words
    return not parts[0].is_open and stored == final.words
