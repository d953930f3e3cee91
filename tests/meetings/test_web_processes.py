"""One host, two tabs and two web processes, one of each server: who speaks, whatever has become of the first socket."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from meetings.broker.audio_log import BEAT_TTL_MS
from tests.rawsocket import TEXT, RawWebSocket
from tests.webs import Webs, running_webs

pytestmark = pytest.mark.xdist_group("servers")

FRAME = bytes(3_200)
TOLD_S = 5.0
"""Within this readers know that nothing comes from their host (CONTRACT.md)."""
SOON_S = 10.0
"""On a busy machine; a ping is given one second, a process that stands still another half."""


@pytest.fixture(scope="module", params=[("daphne", "uvicorn"), ("uvicorn", "daphne")], ids=" ".join)
def webs(request: pytest.FixtureRequest) -> Iterator[Webs]:
    """For tests that leave both alive. The first socket is always the first one's."""
    with running_webs(*request.param) as running:
        yield running


async def heard(socket: ClientConnection, *kinds: str) -> dict[str, Any]:
    async with asyncio.timeout(SOON_S):
        while True:
            message: dict[str, Any] = json.loads(await socket.recv())
            if message["type"] in kinds:
                return message


async def first_word(url: str) -> dict[str, Any]:
    async with connect(url) as socket:
        return await heard(socket, "ready", "error")


async def speak(socket: ClientConnection, number: int) -> dict[str, Any]:
    """What comes of a frame."""
    await socket.send(struct.pack(">I", number) + FRAME)
    return await heard(socket, "ack", "error")


async def test_a_duplicated_tab_is_refused_while_the_first_one_lives(webs: Webs) -> None:
    """The library answers pings, as browsers do, while nothing else is read or sent."""
    here, there = webs.new_meeting()
    async with connect(here.host(session="tab", page="a")) as first:
        await heard(first, "ready")
        for links in (here, there):
            refused = await first_word(links.host(session="tab", page="b"))
            assert refused["code"] == "another_host"
        assert await speak(first, 0) == {"type": "ack", "frame": 0}
    for page in ("b", "c"):
        reloaded = await first_word(there.host(session="tab", page=page))
        assert (reloaded["type"], reloaded["next_frame"]) == ("ready", 1)


async def test_a_socket_that_was_cut_without_a_word_holds_nobody_out(webs: Webs) -> None:
    """The raw client stays connected and answers no ping, like one whose network is gone."""
    here, there = webs.new_meeting()
    with RawWebSocket(here.host(session="tab", page="a")) as cut:
        assert cut.receive_json()["type"] == "ready"
        cut.send(struct.pack(">I", 0) + FRAME)
        async with connect(there.host(session="tab", page="b")) as second:
            begin = (await heard(second, "ready"))["next_frame"]
            assert begin in (0, 1)
            assert await speak(second, begin) == {"type": "ack", "frame": begin}
            cut.send(struct.pack(">I", begin) + FRAME)
            assert await asyncio.to_thread(cut.close_code) == 4409


async def test_a_page_that_comes_back_is_the_host_at_once(webs: Webs) -> None:
    here, there = webs.new_meeting()
    with RawWebSocket(here.host(session="tab", page="a")) as cut:
        assert cut.receive_json()["type"] == "ready"
        async with connect(there.host(session="tab", page="a")) as back:
            assert (await heard(back, "ready"))["next_frame"] == 0
            assert await speak(back, 0) == {"type": "ack", "frame": 0}
            assert await asyncio.to_thread(cut.close_code) == 4409


async def state_of(reader: ClientConnection, *, within_s: float = TOLD_S) -> str:
    """The next state that a reader is told."""
    async with asyncio.timeout(within_s):
        return str((await heard(reader, "hello", "notice"))["state"])


async def test_readers_are_told_when_nothing_comes_from_the_host(webs: Webs) -> None:
    here, there = webs.new_meeting()
    webs.set_state(here.id, "live")
    async with connect(there.viewer()) as reader:
        assert [await state_of(reader), await state_of(reader)] == ["host_away", "host_away"]
        async with connect(here.host(session="tab")) as host:
            await heard(host, "ready")
            await speak(host, 0)
            assert await state_of(reader) == "live"
            await host.send('{"type":"pause"}')
            with pytest.raises(TimeoutError):  # the library answers pings, as a browser does for a hidden page
                await state_of(reader, within_s=BEAT_TTL_MS / 1000 + 1)
        assert await state_of(reader) == "host_away"
        with RawWebSocket(here.host(session="tab")) as cut:
            assert cut.receive_json()["type"] == "ready"
            cut.send(struct.pack(">I", 1) + FRAME)
            cut.send(b'{"type":"pause"}', TEXT)
            assert await state_of(reader) == "live"
            assert await state_of(reader) == "host_away", "it answers no ping, like one whose network is gone"


def test_a_process_that_died_or_stands_still_holds_nobody_out() -> None:
    """What it acknowledges afterwards is nothing that another one has written over."""
    with running_webs("daphne", "uvicorn") as webs:
        asyncio.run(_stand_still_then_die(webs))


async def _stand_still_then_die(webs: Webs) -> None:
    here, there = webs.new_meeting()
    async with connect(here.host(session="tab", page="a"), ping_interval=None) as first:
        await heard(first, "ready")
        webs.first.process.send_signal(signal.SIGSTOP)
        async with connect(there.host(session="tab", page="b")) as second:
            assert (await heard(second, "ready"))["next_frame"] == 0
            assert await speak(second, 0) == {"type": "ack", "frame": 0}
            webs.first.process.send_signal(signal.SIGCONT)
            assert (await speak(first, 0))["code"] == "another_host"
    here, there = webs.new_meeting()
    webs.set_state(here.id, "live")
    async with connect(here.host(session="tab", page="a")) as first, connect(there.viewer()) as reader:
        await heard(first, "ready")
        await first.send('{"type":"pause"}')
        while await state_of(reader) != "live":
            pass
        os.kill(webs.first.process.pid, signal.SIGKILL)
        assert await state_of(reader) == "host_away"
        assert (await first_word(there.host(session="tab", page="b")))["type"] == "ready"
