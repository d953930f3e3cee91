"""How late captions were is kept for the chart of a meeting, and costs nobody anything when it cannot be."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import redis.asyncio

from meetings.models import LagSample, Meeting, State
from meetings.store.lag import keep
from meetings.worker import monitor
from tests.live import load_pcm
from tests.meetings.worker.test_worker import speak, until, working

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_worker_keeps_samples_of_a_live_meeting(broker: redis.asyncio.Redis) -> None:
    meeting = await Meeting.objects.acreate(title="Budget")
    await speak(broker, meeting, load_pcm(Path(__file__).parents[2] / "speech" / "lobster_24s.flac"))
    async with working(broker):
        await until(lambda: LagSample.objects.filter(meeting=meeting, behind_s__gte=0).exists())


def test_a_meeting_that_is_gone_has_no_samples() -> None:
    keep({"gone": 1.0})
    assert not LagSample.objects.exists()


def test_the_seconds_of_all_meetings_are_kept_at_once() -> None:
    meetings = [Meeting.objects.create(title=title) for title in ("One", "Two")]
    keep({meetings[0].pk: 1.26, meetings[1].pk: 0.0})
    assert set(LagSample.objects.values_list("meeting__title", "behind_s")) == {("One", 1.3), ("Two", 0.0)}


class SilentPublisher:
    """Tells nobody anything."""

    waits_for_database = False

    async def set_phase(self, *_: Any, **__: Any) -> None:
        pass


@pytest.mark.parametrize(("phase", "kept"), [("", 1), ("summarizing", 3), ("catching_up", 3)])
async def test_a_backlog_that_moves_is_looked_at_more_often(
    broker: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch, phase: str, kept: int
) -> None:
    meeting = await Meeting.objects.acreate(title="Budget")
    session = SimpleNamespace(position=0, received=0)
    stream = SimpleNamespace(
        meeting_id=meeting.pk, session=session, state=State.LIVE, is_upload=False, phase=phase, heard_at=0.0
    )
    watched: Any = monitor.Monitor(broker, SilentPublisher(), SimpleNamespace())  # type: ignore[arg-type]
    for now in (0.0, 1.0, 2.0, 3.0, 4.0, 5.0):
        monkeypatch.setattr(monitor, "time", SimpleNamespace(monotonic=lambda now=now: now))
        await watched.turn({meeting.pk: stream})
    assert await LagSample.objects.filter(meeting=meeting).acount() == kept
