"""The swaps of a day as bars."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from meetings.models import Swap
from meetings.ops.swap_charts import HALF, THINNEST, WIDTH, swap_timeline, window

NOW = datetime(2026, 11, 21, 16, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def swap(seconds: float, minutes_ago: float, *, back: bool = False, outcome: str = "completed") -> Swap:
    direction = "to transcription" if back else "to summarization"
    return Swap(seconds=seconds, created_at=NOW - timedelta(minutes=minutes_ago), direction=direction, outcome=outcome)


def test_no_swaps_no_chart() -> None:
    assert swap_timeline([], start=NOW - DAY, end=NOW) is None


def test_a_bar_stands_at_its_time_and_is_as_long_as_its_swap() -> None:
    timeline = swap_timeline(
        [swap(4.0, 0, back=True), swap(2.0, 60, outcome="failed"), swap(0.0, 120)],
        start=NOW - timedelta(minutes=120),
        end=NOW,
    )
    assert timeline is not None
    assert timeline.longest_s == 4.0
    back, failed, nothing = timeline.bars
    assert (back.x, back.y, back.height) == (WIDTH - THINNEST, HALF, HALF)
    assert (failed.x, failed.y, failed.height) == ((WIDTH - THINNEST) / 2, HALF / 2, HALF / 2)
    assert (nothing.x, nothing.y, nothing.height) == (0.0, HALF - THINNEST, THINNEST)
    assert [(bar.is_back, bar.is_whole) for bar in timeline.bars] == [(True, True), (False, False), (False, True)]
    assert [tick.at for tick in timeline.ticks][:: len(timeline.ticks) - 1] == [NOW - timedelta(minutes=120), NOW]


def test_swaps_that_took_no_time_are_drawn() -> None:
    timeline = swap_timeline([swap(0.0, 1)], start=NOW - DAY, end=NOW)
    assert timeline is not None
    assert [bar.height for bar in timeline.bars] == [THINNEST]


@pytest.mark.parametrize(("minutes_ago", "drawn"), [(5, 60), (200, 200), (1500, 1440)])
def test_the_window_is_as_long_as_it_must_be(minutes_ago: int, drawn: int) -> None:
    assert window(NOW, DAY, [swap(1.0, minutes_ago), swap(1.0, 1)]) == (NOW - timedelta(minutes=drawn), NOW)
