"""The verbs over failed attempts at a meeting's stages: counted in rows, to outlive the worker that failed."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from meetings.models import Meeting, Stage, StageFailure
from meetings.version import code_version

MAX_ATTEMPTS = 3
"""Failures at one place after which a stage of a meeting is set aside."""


def record_failure(meeting_id: str, stage: Stage, *, position: int, error: str, may_set_aside: bool = True) -> bool:
    """Count one more failed attempt at `position` (samples captioned); return whether the stage is set aside now.

    A failure at another place counts from one again. `may_set_aside` is false for what is tried again with pauses.
    A meeting that is gone has no stages.
    """
    with transaction.atomic():
        if not Meeting.objects.select_for_update().filter(pk=meeting_id).exists():
            return False
        failure, _ = StageFailure.objects.get_or_create(meeting_id=meeting_id, stage=stage)
        failure.attempts = failure.attempts + 1 if failure.position == position else 1
        failure.position = position
        failure.error = error[:120]
        if may_set_aside and failure.attempts >= MAX_ATTEMPTS and failure.set_aside_at is None:
            failure.set_aside_at, failure.version = timezone.now(), code_version()
        failure.save()
    return failure.set_aside_at is not None


def failures_of(meeting_id: str) -> dict[Stage, StageFailure]:
    """Return the meeting's failures by stage; empty for nearly every meeting."""
    return {Stage(row.stage): row for row in StageFailure.objects.filter(meeting_id=meeting_id)}


def clear_failure(meeting_id: str, stage: Stage) -> None:
    """The stage got past the place where it had failed."""
    StageFailure.objects.filter(meeting_id=meeting_id, stage=stage).delete()


def attempts_at(meeting_ids: Collection[str], stage: Stage) -> dict[str, int]:
    """Return the failed attempts by meeting; meetings without any are left out."""
    rows = StageFailure.objects.filter(meeting_id__in=meeting_ids, stage=stage)
    return dict(rows.values_list("meeting_id", "attempts"))


def set_aside() -> list[StageFailure]:
    """Return what no worker tries any more, the newest first."""
    return list(StageFailure.objects.exclude(set_aside_at=None).select_related("meeting"))


def try_again(meeting_ids: Collection[str] | None = None) -> list[str]:
    """Forget what is set aside, of these meetings or of all, and return the meetings that workers have to take again.

    The caller makes them active in the audio log (`AudioLog.activate`).
    """
    rows = StageFailure.objects.exclude(set_aside_at=None)
    return _forget(rows if meeting_ids is None else rows.filter(meeting_id__in=meeting_ids))


def try_again_what_other_code_set_aside() -> list[str]:
    """The same for what another version of the code could not do: this one may have the mend."""
    return _forget(StageFailure.objects.exclude(set_aside_at=None).exclude(version=code_version()))


def _forget(rows: QuerySet[StageFailure]) -> list[str]:
    with transaction.atomic():
        meeting_ids = sorted(set(rows.values_list("meeting_id", flat=True)))
        rows.delete()
    return meeting_ids
