"""Failed attempts at a meeting's stages, counted in rows so that they survive the worker that failed."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from meetings.models import Meeting, Stage, StageFailure
from meetings.version import code_version

MAX_STAGE_ATTEMPTS = 3
"""Failures at one position after which a stage of a meeting is set aside."""


def record_failure(meeting_id: str, stage: Stage, *, position: int, error: str) -> bool:
    """Count one more failed attempt at `position` (samples captioned); return whether the stage is now set aside.

    A failure at another position starts from one. For a deleted meeting nothing is counted.
    """
    with transaction.atomic():
        if not Meeting.objects.select_for_update().filter(pk=meeting_id).exists():
            return False
        failure, _ = StageFailure.objects.get_or_create(meeting_id=meeting_id, stage=stage)
        failure.attempts = failure.attempts + 1 if failure.position == position else 1
        failure.position = position
        failure.error = error[:120]
        if failure.attempts >= MAX_STAGE_ATTEMPTS and failure.set_aside_at is None:
            failure.set_aside_at, failure.version = timezone.now(), code_version()
        failure.save()
    return failure.set_aside_at is not None


def failures_of(meeting_id: str) -> dict[Stage, StageFailure]:
    """Return the meeting's failures by stage; empty for nearly every meeting. Stages of other versions are left out."""
    rows = StageFailure.objects.filter(meeting_id=meeting_id, stage__in=Stage.values)
    return {Stage(row.stage): row for row in rows}


def clear_failure(meeting_id: str, stage: Stage) -> None:
    """Delete the failure: the stage got past the position where it had failed."""
    StageFailure.objects.filter(meeting_id=meeting_id, stage=stage).delete()


def set_aside() -> list[StageFailure]:
    """Return the stages that workers no longer try, newest first."""
    return list(StageFailure.objects.exclude(set_aside_at=None).select_related("meeting"))


def try_again(meeting_ids: Collection[str] | None = None) -> list[str]:
    """Clear what is set aside, in these meetings or in all; return the meetings that workers have to take again.

    The caller activates them in the audio log (`AudioLog.activate`).
    """
    rows = StageFailure.objects.exclude(set_aside_at=None)
    return _forget(rows if meeting_ids is None else rows.filter(meeting_id__in=meeting_ids))


def try_again_what_other_code_set_aside() -> list[str]:
    """Do the same for stages set aside by another version of the code, as this one may contain the fix."""
    return _forget(StageFailure.objects.exclude(set_aside_at=None).exclude(version=code_version()))


def _forget(rows: QuerySet[StageFailure]) -> list[str]:
    with transaction.atomic():
        meeting_ids = sorted(set(rows.values_list("meeting_id", flat=True)))
        rows.delete()
    return meeting_ids
