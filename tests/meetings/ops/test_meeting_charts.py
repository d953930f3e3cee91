"""A meeting in pictures: the figures that are drawn, and that the page has them in words too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from meetings.models import LagSample, Meeting, Speaker, Swap
from meetings.ops.meeting_charts import HEIGHT, POINTS, WIDTH, Band, charts_of, lag_chart, talk_times
from tests.meetings.admin.test_admin import make_meeting

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def samples(*behind_s: float) -> list[LagSample]:
    return [LagSample(at=NOON + timedelta(seconds=10 * place), behind_s=lag) for place, lag in enumerate(behind_s)]


class TestLag:
    def test_is_drawn_from_corner_to_corner(self) -> None:
        chart = lag_chart(samples(0.0, 20.0, 5.0))
        assert chart is not None
        assert chart.longest_s == 20.0
        assert chart.line == f"0.0,{HEIGHT:.1f} {WIDTH / 2},0.0 {WIDTH:.1f},{HEIGHT * 0.75}"

    def test_keeps_the_worst_of_a_long_meeting(self) -> None:
        chart = lag_chart(samples(*([1.0] * 700), 30.0, *([1.0] * 300)))
        assert chart is not None
        assert len(chart.points) <= POINTS
        assert [point.behind_s for point in chart.points if point.behind_s > 1] == [30.0]

    def test_needs_two_samples(self) -> None:
        assert lag_chart(samples(1.0)) is None

    def test_shades_the_time_without_models_as_far_as_it_is_drawn(self) -> None:
        """Twenty seconds are drawn; the models left two seconds before them and were back after five."""
        away = Swap(worker="w1", direction="to summarization", outcome="completed", seconds=4.0)
        away.created_at = NOON + timedelta(seconds=2)
        back = Swap(worker="w1", direction="to transcription", outcome="completed", seconds=1.0)
        back.created_at = NOON + timedelta(seconds=5)
        chart = lag_chart(samples(0.0, 4.0, 0.0), [back, away])
        assert chart is not None
        assert chart.bands == [Band(0.0, WIDTH / 4)]


@pytest.fixture
def meeting() -> Meeting:
    """Ana speaks for 1.8 s, somebody for 0.9 s."""
    meeting = make_meeting("Planning", "the budget is fixed", "nothing of that", "what?")
    meeting.captions.filter(segment__in=("0", "2")).update(speaker="S1")
    meeting.captions.filter(segment="1").update(speaker="?")
    Speaker.objects.create(meeting=meeting, label="S1", name="<Ana>", seq=0)
    return meeting


@pytest.mark.django_db
def test_who_spoke_how_long(meeting: Meeting) -> None:
    assert [(talk.name, round(talk.seconds, 1), talk.percent, talk.width) for talk in talk_times(meeting)] == [
        ("<Ana>", 1.8, 67, 100.0),
        ("Unknown speaker", 0.9, 33, 50.0),
    ]


@pytest.mark.django_db
def test_nothing_is_drawn_of_nothing() -> None:
    charts = charts_of(Meeting.objects.create(title="Empty"))
    assert (charts.talks, charts.lag, charts.swaps) == ([], None, None)


@pytest.mark.django_db
def test_the_page_of_a_meeting_draws_them_and_has_the_figures(admin_client: Client, meeting: Meeting) -> None:
    for sample in samples(0.5, 12.5):
        LagSample.objects.create(meeting=meeting, at=sample.at, behind_s=sample.behind_s)
    swap = {
        "worker": "w1",
        "direction": "to summarization",
        "outcome": "completed",
        "gibibytes": 1,
        "gigabytes_per_s": 2,
    }
    Swap.objects.create(seconds=3.25, **swap)
    Swap.objects.update(created_at=NOON + timedelta(seconds=5))
    page = admin_client.get(f"/admin/meetings/meeting/{meeting.pk}/change/").content.decode()
    assert '<th scope="row">&lt;Ana&gt;</th><td>0:01</td><td>67</td>' in page
    assert '<polyline class="lag" points="0.0,115.2 720.0,0.0"/>' in page
    assert '<th scope="row">12:00:10</th><td>12.5 s</td>' in page
    assert "<td>to the summariser</td><td>3.25</td>" in page
    assert "style=" not in page.partition('<section class="operations charts">')[2].partition("</section>")[0]
