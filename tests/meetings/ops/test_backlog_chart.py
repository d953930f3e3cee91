"""The backlog of a day as bars: the worst meeting of every moment, and nothing where nobody was live."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from meetings.models import LagSample, Meeting
from meetings.ops.backlog_chart import BARS, HEIGHT, WIDTH, BacklogBar, backlog_chart

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def meetings() -> list[Meeting]:
    return [Meeting.objects.create(title=title) for title in ("One", "Two")]


def sample(meeting: Meeting, minute: float, behind_s: float) -> None:
    LagSample.objects.create(meeting=meeting, at=NOON + timedelta(minutes=minute), behind_s=behind_s)


def test_without_samples_there_is_no_chart(meetings: list[Meeting]) -> None:
    sample(meetings[0], -0.1, 5.0)
    assert backlog_chart(start=NOON, end=NOON + HOUR) is None


def test_a_bar_is_the_worst_meeting_of_its_minute(meetings: list[Meeting]) -> None:
    one, two = meetings
    sample(one, 0.0, 2.0)
    sample(two, 0.5, 8.0)
    sample(one, 30.2, 4.0)
    chart = backlog_chart(start=NOON, end=NOON + HOUR)
    assert chart is not None
    assert (chart.longest_s, chart.width) == (8.0, WIDTH / 60)
    assert chart.bars == [
        BacklogBar(NOON, 8.0, x=0.0, y=0.0, height=HEIGHT),
        BacklogBar(NOON + HOUR / 2, 4.0, x=WIDTH / 2, y=HEIGHT / 2, height=HEIGHT / 2),
    ]


def test_a_day_has_no_more_bars_than_fit(meetings: list[Meeting]) -> None:
    for minute in range(0, 24 * 60, 5):
        sample(meetings[0], minute, 3.0 if minute == 725 else 0.5)
    chart = backlog_chart(start=NOON, end=NOON + 24 * HOUR)
    assert chart is not None
    assert len(chart.bars) == BARS
    assert [bar.at for bar in chart.bars if bar.behind_s == 3.0] == [NOON + timedelta(minutes=720)]


def test_captions_that_were_never_late_are_a_flat_line(meetings: list[Meeting]) -> None:
    sample(meetings[0], 1.0, 0.1)
    chart = backlog_chart(start=NOON, end=NOON + HOUR)
    assert chart is not None
    assert [bar.height for bar in chart.bars] == [HEIGHT / 10]
