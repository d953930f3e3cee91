"""Work that a deletion leaves outside the database: what is due, and how it went."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from django.db.models import F
from django.utils import timezone

from meetings.models import Meeting, State, Tombstone

LATE = timedelta(hours=1)
"""Longer than a worker can keep writing audio and files of a meeting; cleanup runs once more after this."""

FRESH = timedelta(seconds=10)
"""The process that deletes a meeting does most of the work at once; after this, a worker does the rest."""

ERASURE_CLAIM_TTL = timedelta(minutes=10)
"""Longer than a storage may take."""

SHORTEST_PAUSE, LONGEST_PAUSE = timedelta(seconds=4), timedelta(minutes=5)


def add_tombstone(meeting: Meeting) -> None:
    """Add one, in the transaction that deletes the meeting."""
    has_results = meeting.state == State.ENDED and not meeting.is_ephemeral
    fresh = {"has_results": has_results, "not_before": timezone.now() + FRESH}
    Tombstone.objects.update_or_create(pk=meeting.pk, defaults=fresh)


def put_if_gone(meeting_id: str, *, has_results: bool = False) -> bool:
    """Have files written for a meeting removed now if it was deleted in the meantime; return whether it was."""
    if Meeting.objects.filter(pk=meeting_id).exists():
        return False
    changed = {"not_before": timezone.now(), **({"has_results": True} if has_results else {})}
    Tombstone.objects.update_or_create(
        pk=meeting_id, defaults=changed, create_defaults={**changed, "has_results": has_results}
    )
    return True


def existing(meeting_ids: Collection[str]) -> list[str]:
    """Return those of the meetings whose deletion is committed."""
    return list(Tombstone.objects.filter(pk__in=meeting_ids).values_list("pk", flat=True))


def traces_are_erased(meeting_ids: Collection[str]) -> None:
    Tombstone.objects.filter(pk__in=meeting_ids).update(are_traces_erased=True)


def due(*, limit: int) -> list[Tombstone]:
    """Return the tombstones due now, the longest waiting first."""
    return list(Tombstone.objects.filter(not_before__lte=timezone.now()).order_by("not_before")[:limit])


def claim(tombstone: Tombstone) -> bool:
    """Claim the tombstone; one of several workers gets it. The attempt is counted before it is made."""
    mine = Tombstone.objects.filter(pk=tombstone.pk, not_before=tombstone.not_before)
    return bool(mine.update(not_before=timezone.now() + ERASURE_CLAIM_TTL, attempts=F("attempts") + 1))


def record_outcome(tombstone: Tombstone) -> None:
    """Schedule a last cleanup for when no worker can still be writing; after that one, delete the tombstone."""
    row = Tombstone.objects.filter(pk=tombstone.pk)
    once_more = tombstone.created_at + LATE
    if timezone.now() < once_more:
        row.update(not_before=once_more, attempts=0)
    else:
        row.delete()


def defer(tombstone: Tombstone) -> timedelta:
    """Back off after a failed removal; return the pause."""
    pause = min(LONGEST_PAUSE, SHORTEST_PAUSE * 2 ** min(tombstone.attempts, 20))
    Tombstone.objects.filter(pk=tombstone.pk).update(not_before=timezone.now() + pause)
    return pause
