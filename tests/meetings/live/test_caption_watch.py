"""What people are told while nobody captions what was received: over the real broker and database."""

from __future__ import annotations

import pytest
import redis.asyncio

from inference.audio import SAMPLE_RATE
from meetings.broker.audio_log import AudioLog, LogState
from meetings.broker.leases import Leases
from meetings.live import caption_watch, outages
from meetings.live.fanout import Broadcaster
from meetings.models import Meeting, State
from tests.meetings.live.test_fanout import Screen, broadcaster
from tests.meetings.live.test_host_watch import audio, speak

__all__ = ["audio", "broadcaster"]

pytestmark = pytest.mark.django_db(transaction=True)

FRAME_S = 0.1


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caption_watch, "LOOK_S", 0.02)
    monkeypatch.setattr(caption_watch, "HANDOVER_S", 0.05)
    monkeypatch.setattr(outages, "NEGLECTED_S", 1.5 * FRAME_S)


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize("state", [State.WAITING, State.LIVE])
async def test_what_nobody_captions_is_not_taken_for_silence(
    broadcaster: Broadcaster, broker: redis.asyncio.Redis, audio: AudioLog, state: State
) -> None:
    meeting = await Meeting.objects.acreate(title="Budget", state=state)
    first, second = Leases(broker, "first"), Leases(broker, "second")
    screen = Screen(meeting.pk)
    await broadcaster.join(screen.viewer)
    await first.acquire(meeting.pk)
    for frame in range(2):
        await speak(audio, meeting, frame)
    await first.release(meeting.pk)  # as when its lease expires
    await screen.shows(lambda screen: screen.states == ["degraded"])
    late = Screen(meeting.pk)
    told = outages.current_notice(meeting, await audio.state(meeting.pk))
    assert told["state"] == "degraded"
    late.viewer.state = told["state"]
    await broadcaster.join(late.viewer)
    await second.acquire(meeting.pk)
    for one in (screen, late):
        await one.shows(lambda screen: screen.states[-1:] == [state])


@pytest.mark.parametrize(
    ("is_held", "captioned_s", "cursor_s", "is_neglected"),
    [(False, 0, 0, True), (True, 0, 0, False), (False, 9, 0, False), (False, 0, 9, False)],
    ids=["nobody", "a worker that is behind", "captioned", "captioned before the broker lost it"],
)
def test_only_what_nobody_captions_is_neglected(
    is_held: bool, captioned_s: int, cursor_s: int, is_neglected: bool
) -> None:
    state = LogState(100, 10 * SAMPLE_RATE, captioned_s * SAMPLE_RATE, "", 0.0, "", is_held)
    assert outages.is_neglected(state, cursor=cursor_s * SAMPLE_RATE) is is_neglected
