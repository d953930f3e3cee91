"""Chart data for a template: seconds of uncaptioned audio over time, of the worst meeting at each moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max
from django.db.models.functions import TruncMinute

from meetings.models import LagSample

WIDTH, HEIGHT = 720, 120
"""Units of the drawing."""

BARS = 120
"""Maximum; each is the worst of the minutes that it covers."""

LEAST_BACKLOG_S = 1.0
"""Minimum of the scale, for charts in which captions were never late."""


@dataclass(frozen=True, slots=True)
class BacklogBar:
    """A bar on the bottom line; times without live captions have none."""

    at: datetime
    """Start of its time."""
    behind_s: float
    x: float
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class BacklogChart:
    """In units of WIDTH and HEIGHT, with zero at the bottom."""

    bars: list[BacklogBar]
    width: float
    """Of every bar."""
    longest_s: float
    """The value that HEIGHT represents."""
    start: datetime
    end: datetime


def backlog_chart(*, start: datetime, end: datetime) -> BacklogChart | None:
    """Return the chart of all meetings between two moments; None: none was live."""
    length = max(timedelta(minutes=1), (end - start) / BARS)
    worst: dict[int, float] = {}
    for minute, behind_s in _worst_by_minute(start, end):
        place = max(0, int((minute - start) / length))
        worst[place] = max(worst.get(place, 0.0), behind_s)
    if not worst:
        return None
    longest_s = max(LEAST_BACKLOG_S, *worst.values())
    step = WIDTH * (length / (end - start))
    bars = [_bar(start + place * length, worst[place], step * place, longest_s) for place in sorted(worst)]
    return BacklogChart(bars, round(step, 1), longest_s, start, end)


def _worst_by_minute(start: datetime, end: datetime) -> list[tuple[datetime, float]]:
    """Aggregate in the database, because a day may have a sample every two seconds for every meeting."""
    samples = LagSample.objects.filter(at__range=(start, end)).order_by()
    return list(samples.values_list(TruncMinute("at")).annotate(Max("behind_s")))


def _bar(at: datetime, behind_s: float, x: float, longest_s: float) -> BacklogBar:
    height = HEIGHT * behind_s / longest_s
    return BacklogBar(at, behind_s, x=round(x, 1), y=round(HEIGHT - height, 1), height=round(height, 1))
