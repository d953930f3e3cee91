"""The embedded broker: away and slow to load, and one that comes back without the newest frames."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
import redis
from websockets.asyncio.client import ClientConnection

from tests.faults.causes import killed_broker, lengthen
from tests.faults.meeting import MID_SENTENCE, Clip, LiveMeeting
from tests.faults.processes import broker_of, only_these_die
from tests.live import Host, RunningParlance, running_parlance
from tests.meetings.test_nothing_lost import assert_same

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("faults"), pytest.mark.timeout(900)]

FRAME_S = 0.1


@pytest.fixture(scope="module")
def parlance(captions_alone: dict[str, str]) -> Iterator[RunningParlance]:
    with running_parlance(environment=captions_alone) as running:
        yield running


async def test_a_broker_that_is_away_and_then_loads_for_long_is_told_of_and_loses_nothing(
    parlance: RunningParlance, clip: Clip
) -> None:
    with only_these_die(parlance, "valkey-server"):
        async with LiveMeeting(parlance.create_meeting(), clip.frames) as meeting:
            await meeting.sent(MID_SENTENCE)
            began = time.monotonic()
            with killed_broker(parlance) as log:
                await asyncio.to_thread(lengthen, log)
                await meeting.be_told("degraded", since=began)
            loading = await asyncio.to_thread(loads, broker_of(parlance))
            await meeting.read_on()
            assert_same(await meeting.end(), clip.captions)
            assert meeting.reader.connections == 1
            assert loading, "the broker refused for a while because it was loading"


async def test_frames_that_the_broker_lost_are_counted_as_missing_and_captions_go_on(
    parlance: RunningParlance, clip: Clip
) -> None:
    """As after a failover, or from a disk that did not keep what it had promised."""
    older = parlance.data / "older"
    silence = [pause_after(clip, caption) for caption in (1, len(clip.captions) - 3)]
    assert silence[0] < silence[1]
    with only_these_die(parlance, "valkey-server"):
        async with LiveMeeting(parlance.create_meeting(), clip.frames, host=BrowsersHost) as meeting:
            await meeting.sent(silence[0])
            shutil.copytree(parlance.data / "broker" / "appendonlydir", older)
            await meeting.sent(silence[1])
            with killed_broker(parlance) as log:
                shutil.rmtree(log.parent)
                older.rename(log.parent)
            transcript = await meeting.end()
            assert isinstance(meeting.host, BrowsersHost)
            assert 0 < meeting.host.lost <= meeting.host.acked_before - silence[0] + 1
            ledgers = [message for message in meeting.host.received if message["type"] == "ledger"]
            assert ledgers[-1]["missing_s"] == pytest.approx(meeting.host.lost * FRAME_S, abs=FRAME_S)
            texts = [caption["text"] for caption in transcript]
            expected = [caption["text"] for caption in clip.captions]
            assert texts[:2] == expected[:2]
            # What was sent while the broker was dying is lost too.
            assert texts[-1:] == expected[-1:]


class BrowsersHost(Host):
    """Forgets what is acknowledged, as a browser does: what a broker lost then, nobody has any more."""

    lost = 0
    """Frames."""
    acked_before = -1
    """The last frame that was acknowledged when some were found lost."""

    async def _send(self, socket: ClientConnection, first: int) -> None:
        if first <= self.acked:
            self.acked_before = self.acked
            lost = self.acked + 1 - first
            del self.frames[first : self.acked + 1]
            self.acked = first - 1
            self.lost += lost
            await socket.send(json.dumps({"type": "missing", "seconds": round(lost * FRAME_S, 1)}))
        await super()._send(socket, first)


def pause_after(clip: Clip, caption: int) -> int:
    """The frame in the middle of the silence after that caption."""
    before, after = clip.captions[caption : caption + 2]
    return round((before["end"] + after["start"]) / 2 / FRAME_S)


def loads(broker: redis.Redis) -> bool:
    """Whether the broker says that it loads, before it answers."""
    has_loaded = False
    while True:
        with suppress(redis.ConnectionError, redis.TimeoutError):
            try:
                broker.ping()
            except redis.BusyLoadingError:
                has_loaded = True
            else:
                return has_loaded
        time.sleep(0.01)
