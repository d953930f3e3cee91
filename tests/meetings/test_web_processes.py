"""One host, two tabs and two web processes, one of each server: who speaks, whatever has become of the first socket."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from websockets.asyncio.client import ClientConnection, connect

from meetings.broker.embedded import EmbeddedBroker
from meetings.environment import WebServer
from tests.live import REPOSITORY, MeetingLinks, RunningParlance, free_port
from tests.rawsocket import RawWebSocket

pytestmark = pytest.mark.xdist_group("servers")

FRAME = bytes(3_200)
START_S = 60.0
SOON_S = 10.0
"""On a busy machine; a ping is given one second, a process that stands still another half."""


class TwoWebs:
    """A broker and two web processes over one database, without a worker."""

    def __init__(self, data: Path, first: WebServer, second: WebServer) -> None:
        self._parlance = RunningParlance(data)
        self._parlance._lay_out_database()
        self.first = self._started(first)
        self.second = self._started(second)

    def _started(self, kind: WebServer) -> Web:
        return Web({**self._parlance.environment, "PARLANCE_WEB_SERVER": kind})

    def new_meeting(self) -> tuple[MeetingLinks, MeetingLinks]:
        """Links to the same meeting, one at each process."""
        links = self._parlance.create_meeting()
        return replace(links, port=self.first.port), replace(links, port=self.second.port)

    def stop(self) -> None:
        self.first.stop()
        self.second.stop()
        if self._parlance._clerk is not None:
            self._parlance._clerk.kill()
            self._parlance._clerk.communicate()


class Web:
    """One `manage.py web`."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.port = free_port()
        command = [sys.executable, "manage.py", "web", "--port", str(self.port)]
        self.process = psutil.Popen(command, cwd=REPOSITORY, env=environment, stderr=subprocess.DEVNULL)
        until = time.monotonic() + START_S
        while not self._answers():
            assert time.monotonic() < until, "the web process does not answer"

    def _answers(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/healthz").status_code == 200
        except httpx.TransportError:
            time.sleep(0.1)
            return False

    def stop(self) -> None:
        if self.process.is_running():
            self.process.kill()
            self.process.wait()


@contextmanager
def two_webs(first: WebServer, second: WebServer) -> Iterator[TwoWebs]:
    data = Path(tempfile.mkdtemp(prefix="parlance-webs-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, data, ignore_errors=True)
        broker = EmbeddedBroker(data / "broker", data / "valkey.sock")
        broker.start()
        stack.callback(broker.stop)
        webs = TwoWebs(data, first, second)
        stack.callback(webs.stop)
        yield webs


@pytest.fixture(scope="module", params=[("daphne", "uvicorn"), ("uvicorn", "daphne")], ids=" ".join)
def webs(request: pytest.FixtureRequest) -> Iterator[TwoWebs]:
    """For tests that leave both alive. The first socket is always the first one's."""
    with two_webs(*request.param) as running:
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


async def test_a_duplicated_tab_is_refused_while_the_first_one_lives(webs: TwoWebs) -> None:
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


async def test_a_socket_that_was_cut_without_a_word_holds_nobody_out(webs: TwoWebs) -> None:
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


async def test_a_page_that_comes_back_is_the_host_at_once(webs: TwoWebs) -> None:
    here, there = webs.new_meeting()
    with RawWebSocket(here.host(session="tab", page="a")) as cut:
        assert cut.receive_json()["type"] == "ready"
        async with connect(there.host(session="tab", page="a")) as back:
            assert (await heard(back, "ready"))["next_frame"] == 0
            assert await speak(back, 0) == {"type": "ack", "frame": 0}
            assert await asyncio.to_thread(cut.close_code) == 4409


def test_a_process_that_died_or_stands_still_holds_nobody_out() -> None:
    """What it acknowledges afterwards is nothing that another one has written over."""
    with two_webs("daphne", "uvicorn") as webs:
        asyncio.run(_stand_still_then_die(webs))


async def _stand_still_then_die(webs: TwoWebs) -> None:
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
    async with connect(here.host(session="tab", page="a")) as first:
        await heard(first, "ready")
        os.kill(webs.first.process.pid, signal.SIGKILL)
        assert (await first_word(there.host(session="tab", page="b")))["type"] == "ready"
