"""The record of swaps, for those who look after a machine."""

from __future__ import annotations

from dataclasses import asdict

from inference.residency.history import StepKind, SwapRecord
from meetings.models import Swap

KEPT = 1_000
"""Rows; older ones go."""


def file_swap(worker: str, record: SwapRecord) -> None:
    """Keeps what one swap took."""
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
    for old in Swap.objects.order_by("-created_at")[KEPT : KEPT + 10]:
        old.delete()
