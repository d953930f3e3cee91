"""How late captions were is kept for the chart of a meeting, and costs nobody anything when it cannot be."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import redis.asyncio

from inference.speech.session import CaptionSession
from meetings.broker.audio_log import AudioLog
from meetings.models import LagSample, Meeting, State
from meetings.store.lag import keep
from meetings.worker import monitor
from meetings.worker.speaker_track import ResumeState
from meetings.worker.stream import MeetingStream, Phase, TurnResult
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
    broker: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch, phase: Phase, kept: int
) -> None:
    meeting = await Meeting.objects.acreate(title="Budget")
    stream = MeetingStream(meeting, ResumeState())
    stream.state, stream.phase, stream.heard_at = State.LIVE, phase, 0.0
    watched: Any = monitor.Monitor(broker, SilentPublisher(), SimpleNamespace())  # type: ignore[arg-type]
    for now in (0.0, 1.0, 2.0, 3.0, 4.0, 5.0):
        monkeypatch.setattr(monitor, "time", SimpleNamespace(monotonic=lambda now=now: now))
        await watched.turn({meeting.pk: stream})
    assert await LagSample.objects.filter(meeting=meeting).acount() == kept


async def test_words_are_sealed_at_ends_while_too_many_ticks_wait(
    broker: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting = await Meeting.objects.acreate(title="Budget")
    log = AudioLog(broker)
    await log.claim(meeting.pk, "page", takeover=False, cursor=0)
    stream = MeetingStream(meeting, ResumeState())
    watched: Any = monitor.Monitor(broker, SilentPublisher(), SimpleNamespace())  # type: ignore[arg-type]
    ticks, marks = monitor.MOST_TICKS + 1, []
    monkeypatch.setattr(CaptionSession, "waiting_ticks", property(lambda _: ticks))
    for now in (0.0, 1.0, 200.0, 201.0):
        monkeypatch.setattr(monitor, "time", SimpleNamespace(monotonic=lambda now=now: now))
        await watched.turn({meeting.pk: stream})
        for entries in (await log.read({meeting.pk: stream.last_read}, block_ms=1, count=9)).values():
            stream.read(entries)
        stream.take_in(TurnResult())
        marks.append(stream.session.is_sealing)
        ticks = 0
    assert marks == [False, False, True, True]
