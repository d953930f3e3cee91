"""What readers are told of an absent host, and of nothing else meanwhile: over the real broker and database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import redis.asyncio

from meetings.broker import audio_log, hints, notices
from meetings.broker.audio_log import AudioLog, Claimant
from meetings.broker.notices import NoticeState
from meetings.live import heartbeat, host_watch
from meetings.live.admission import Admission
from meetings.live.fanout import Broadcaster
from meetings.models import Meeting, State, Upload
from tests.meetings.live.test_fanout import Screen

pytestmark = pytest.mark.django_db(transaction=True)

HOST = Claimant("a", session="a")
FRAME = bytes(3_200)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio_log, "BEAT_TTL_MS", 300)
    monkeypatch.setattr(audio_log, "HOST_TTL_MS", 300)
    monkeypatch.setattr(host_watch, "LOOK_S", 0.02)
    monkeypatch.setattr(host_watch, "ASK_AGAIN_S", 0.05)


@pytest.fixture
async def broadcaster(broker: redis.asyncio.Redis) -> AsyncIterator[Broadcaster]:
    made = Broadcaster(lambda: broker)
    yield made
    for subscription in list(made._subscriptions.values()):
        for viewer in tuple(subscription.feed.viewers):
            made.leave(viewer)


@pytest.fixture
def audio(broker: redis.asyncio.Redis) -> AudioLog:
    return AudioLog(broker)


@pytest.fixture
def meeting() -> Meeting:
    return Meeting.objects.create(title="Budget", state=State.LIVE)


async def speak(audio: AudioLog, meeting: Meeting, frame: int) -> None:
    await audio.claim_as(meeting.pk, HOST, takeover=False, cursor=0)
    await audio.append(meeting.pk, HOST.connection, frame, FRAME)


async def tell(broker: redis.asyncio.Redis, meeting: Meeting, *states: NoticeState) -> None:
    """As a worker does."""
    packed = hints.pack([hints.Broadcast(notices.notice(state)) for state in states])
    await broker.publish(hints.events_channel(meeting.pk), packed)


async def test_readers_learn_that_the_host_is_away_and_back(
    broadcaster: Broadcaster, broker: redis.asyncio.Redis, audio: AudioLog, meeting: Meeting
) -> None:
    reader, host = Screen(meeting.pk), Screen(meeting.pk)
    host.viewer.admission = Admission("host", "token", lambda code: asyncio.sleep(0))
    for screen in (reader, host):
        await broadcaster.join(screen.viewer)
    await reader.shows(lambda screen: screen.states == ["host_away"])
    # A worker that catches up or writes a summary says nothing about what comes next.
    await tell(broker, meeting, "catching_up", "summarizing", "live")
    await tell(broker, meeting, "degraded", "live")
    await reader.shows(lambda screen: screen.states == ["host_away", "degraded", "host_away"])
    await speak(audio, meeting, 0)
    await reader.shows(lambda screen: screen.states[-1] == "live")
    await reader.shows(lambda screen: screen.states[-1] == "host_away")
    await tell(broker, meeting, "ended")
    await reader.shows(lambda screen: screen.states[-1] == "ended")
    assert host.states == ["catching_up", "summarizing", "live", "degraded", "live", "ended"]


async def test_a_host_that_was_never_there_or_has_ended_is_not_away(
    broadcaster: Broadcaster, broker: redis.asyncio.Redis, audio: AudioLog, meeting: Meeting
) -> None:
    waiting = await Meeting.objects.acreate(title="Tomorrow")
    recording = await Meeting.objects.acreate(title="Yesterday", state=State.LIVE)
    await Upload.objects.acreate(meeting=recording, name="a.mp3", size=1)
    await speak(audio, meeting, 0)
    await audio.mark(meeting.pk, "end")
    screens = [Screen(one.pk) for one in (waiting, recording, meeting)]
    for screen in screens:
        await broadcaster.join(screen.viewer)
    left = await Meeting.objects.acreate(title="Left", state=State.PAUSED)
    await speak(audio, left, 0)
    last = Screen(left.pk)
    await broadcaster.join(last.viewer)
    await last.shows(lambda screen: screen.states == ["host_away"])  # the beats before this one are over, too
    assert [screen.states for screen in screens] == [[], [], []]


async def test_every_socket_hears_a_tick(broadcaster: Broadcaster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that confirms nothing: a tick needs no credit, and costs none."""
    monkeypatch.setattr(heartbeat, "TICK_S", 0.01)
    screen = Screen((await Meeting.objects.acreate(title="Tomorrow")).pk)
    await broadcaster.join(screen.viewer)
    await screen.shows(lambda screen: screen.kinds.count("tick") > 3)
    assert not screen.viewer._credit._sent
