"""Chart data of a meeting for the admin's template: speaking times and caption lag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F, Sum
from django.utils.translation import gettext as _

from meetings.models import UNSURE, LagSample, Meeting, Swap
from meetings.ops.swap_charts import SwapTimeline, swap_timeline
from meetings.store.speakers import present_speakers
from meetings.store.swaps import Absence, absences

WIDTH, HEIGHT = 720, 120
"""Units of the lag's drawing."""

BAR = 100
"""Units of the longest bar."""

POINTS = 120
"""Maximum; each is the worst of the samples that it covers."""

LEAST_LAG_S = 1.0
"""Minimum of the scale, for charts in which captions were never late."""

UNKNOWN_COLOR = "#999999"


@dataclass(frozen=True, slots=True)
class Talk:
    """The total length of one speaker's captions."""

    name: str
    color: str
    seconds: float
    percent: int
    width: float
    """Of BAR, relative to the longest speaker."""


@dataclass(frozen=True, slots=True)
class LagPoint:
    at: datetime
    behind_s: float
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Band:
    """A time during which the models were swapped out."""

    x: float
    width: float


@dataclass(frozen=True, slots=True)
class LagChart:
    """In units of WIDTH and HEIGHT, with zero at the bottom."""

    points: list[LagPoint]
    bands: list[Band]
    longest_s: float

    @property
    def line(self) -> str:
        """The points of an SVG polyline."""
        return " ".join(f"{point.x},{point.y}" for point in self.points)


@dataclass(frozen=True, slots=True)
class MeetingCharts:
    """None and empty: there is nothing to draw."""

    talks: list[Talk]
    lag: LagChart | None
    swaps: SwapTimeline | None


def charts_of(meeting: Meeting) -> MeetingCharts:
    """Return all charts of the meeting."""
    samples = list(meeting.lag_samples.order_by("at"))
    swaps = _swaps_during(samples)
    return MeetingCharts(talk_times(meeting), lag_chart(samples, swaps), _swap_timeline(samples, swaps))


def talk_times(meeting: Meeting) -> list[Talk]:
    """Return the longest speaker first; lines without a known speaker last."""
    rows = meeting.captions.exclude(text="").order_by().values("speaker").annotate(seconds=Sum(F("end") - F("start")))
    seconds = {row["speaker"]: float(row["seconds"]) for row in rows}
    if not seconds:
        return []
    known = {speaker.label: (speaker.display_name, speaker.color) for speaker in present_speakers(meeting)}
    unknown = {UNSURE: (_("Unknown speaker"), UNKNOWN_COLOR), "": (_("not identified"), UNKNOWN_COLOR)}
    names = {label: (label, UNKNOWN_COLOR) for label in seconds} | unknown | known
    longest, total = max(seconds.values()), sum(seconds.values())
    return [
        Talk(*names[label], spoken, round(100 * spoken / total), round(BAR * spoken / longest, 1))
        for label, spoken in sorted(seconds.items(), key=lambda item: (item[0] in unknown, -item[1]))
    ]


def lag_chart(samples: Sequence[LagSample], swaps: Sequence[Swap] = ()) -> LagChart | None:
    """Return the worst sample of each interval, and when the models were swapped out; None: fewer than two samples."""
    if len(samples) < 2:
        return None
    step = -(-len(samples) // POINTS)
    worst = [
        max(samples[place : place + step], key=lambda sample: sample.behind_s) for place in range(0, len(samples), step)
    ]
    start, span = samples[0].at, samples[-1].at - samples[0].at
    longest_s = max(LEAST_LAG_S, *(sample.behind_s for sample in worst))
    points = [
        LagPoint(
            sample.at,
            sample.behind_s,
            round(WIDTH * ((sample.at - start) / span), 1),
            round(HEIGHT * (1 - sample.behind_s / longest_s), 1),
        )
        for sample in worst
    ]
    return LagChart(points, [_band(absence, start, span) for absence in absences(swaps)], longest_s)


def _band(absence: Absence, start: datetime, span: timedelta) -> Band:
    left = max(0.0, WIDTH * ((absence.start - start) / span))
    return Band(round(left, 1), round(WIDTH * ((absence.end - start) / span) - left, 1))


def _swaps_during(samples: Sequence[LagSample]) -> list[Swap]:
    """Return swaps of any worker while the meeting was live."""
    if len(samples) < 2:
        return []
    return list(Swap.objects.filter(created_at__range=(samples[0].at, samples[-1].at)))


def _swap_timeline(samples: Sequence[LagSample], swaps: Sequence[Swap]) -> SwapTimeline | None:
    return swap_timeline(swaps, start=samples[0].at, end=samples[-1].at) if swaps else None
