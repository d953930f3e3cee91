"""Chart data for a template: swaps over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from inference.models.residency.history import Direction, SwapOutcome
from meetings.models import Swap

WIDTH, HALF = 720, 70
"""Units of the drawing: its width, and the height of the longest swap above or below the line."""

THINNEST = 3.0
TICKS = 4


@dataclass(frozen=True, slots=True)
class Bar:
    """One swap: upwards to the summarizer, downwards back to captioning."""

    x: float
    y: float
    height: float
    swap: Swap
    is_back: bool
    is_whole: bool
    """Whether it was completed."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A time label on the line."""

    x: float
    at: datetime


@dataclass(frozen=True, slots=True)
class SwapTimeline:
    """In units of the drawing; the line is at HALF."""

    bars: list[Bar]
    ticks: list[Tick]
    longest_s: float
    """The value that a bar of HALF represents."""


def swap_timeline(swaps: Sequence[Swap], *, start: datetime, end: datetime) -> SwapTimeline | None:
    """Return the swaps between two moments; None: there were none."""
    if not swaps:
        return None
    longest_s = max(swap.seconds for swap in swaps) or 1.0
    span = end - start
    bars = [_bar(swap, (swap.created_at - start) / span, longest_s) for swap in swaps]
    ticks = [Tick(_rounded(WIDTH * part / TICKS), start + span * part / TICKS) for part in range(TICKS + 1)]
    return SwapTimeline(bars, ticks, longest_s)


def window(now: datetime, length: timedelta, swaps: Sequence[Swap]) -> tuple[datetime, datetime]:
    """Return the time to draw: from the oldest of `swaps` (all younger than `length`) until now, at least an hour."""
    oldest = min((swap.created_at for swap in swaps), default=now)
    return max(now - length, min(oldest, now - timedelta(hours=1))), now


def _bar(swap: Swap, place: float, longest_s: float) -> Bar:
    height = max(THINNEST, HALF * swap.seconds / longest_s)
    is_back = swap.direction == Direction.TO_TRANSCRIPTION.value
    return Bar(
        x=_rounded((WIDTH - THINNEST) * place),
        y=HALF if is_back else _rounded(HALF - height),
        height=_rounded(height),
        swap=swap,
        is_back=is_back,
        is_whole=swap.outcome == SwapOutcome.COMPLETED.value,
    )


def _rounded(value: float) -> float:
    return round(value, 1)
