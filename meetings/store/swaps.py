"""History of model swaps, for operators."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from inference.models.residency.history import Direction, StepKind, SwapOutcome, SwapRecord
from meetings.models import Swap

MAX_SWAPS = 1_000
"""Rows; older ones are deleted."""


@dataclass(frozen=True, slots=True)
class Absence:
    """Time during which the captioning models were swapped out."""

    start: datetime
    end: datetime


def file_swap(worker: str, record: SwapRecord) -> None:
    """Store the record of one swap, and delete the oldest ones beyond MAX_SWAPS."""
    Swap.objects.create(
        worker=worker,
        direction=record.direction.value,
        outcome=record.outcome.value,
        reason=record.reason,
        seconds=round(record.seconds, 3),
        gibibytes=round(record.size_of(StepKind.WAKE) / 2**30, 3),
        gigabytes_per_s=round(record.gigabytes_per_second, 3),
        steps=[{**asdict(step), "kind": step.kind.value} for step in record.steps],
    )
    for old in Swap.objects.order_by("-created_at")[MAX_SWAPS : MAX_SWAPS + 10]:
        old.delete()


def absences(swaps: Iterable[Swap]) -> list[Absence]:
    """Return absences by their end: until the swap back, or until a failed swap had restored captioning.

    Those whose swap back is not in `swaps` are left out, as are swaps that moved nothing.
    """
    left: dict[str, datetime] = {}
    found = []
    for swap in sorted(swaps, key=lambda swap: swap.created_at):
        began = swap.created_at - timedelta(seconds=swap.seconds)
        if swap.direction == Direction.TO_TRANSCRIPTION.value:
            found.append(Absence(left.pop(swap.worker, began), swap.created_at))
        elif swap.outcome == SwapOutcome.COMPLETED.value:
            left[swap.worker] = began
        elif swap.outcome != SwapOutcome.BUSY.value:
            found.append(Absence(began, swap.created_at))
    return found
