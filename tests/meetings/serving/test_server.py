"""What every server holds, against the real ones in processes of their own."""

from __future__ import annotations

import asyncio
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, get_args

import httpx
import psutil
import pytest
from websockets.asyncio.client import connect
from websockets.frames import Frame, Opcode

from meetings.environment import WebServer
from meetings.serving.daphne_server import MAX_WAITING
from meetings.serving.server import MAX_MESSAGE_BYTES, text_frame
from tests.live import REPOSITORY, free_port
from tests.memory import Peak
from tests.rawsocket import BINARY, CONTINUATION, TEXT, RawWebSocket, client_header

pytestmark = pytest.mark.xdist_group("processes")

MEGABYTE = 1_000_000
MESSAGE = bytes(range(256)) * 200
FLOOD = 100 * MEGABYTE // len(MESSAGE)
TIMEOUT_S = 60.0
END_S = 10.0
"""The supervisor gives all processes together 15."""

SERVERS = get_args(WebServer)
WAITING = {"daphne": range(MAX_WAITING, 2 * MAX_WAITING), "uvicorn": range(1, 12)}
"""Messages of MESSAGE's size that wait for the application when a socket is no longer read."""

FAREWELL = {"daphne": None, "uvicorn": 1012}
"""The code with which sockets are closed when the process ends; None: they are cut."""


@dataclass(frozen=True, slots=True)
class GatedServer:
    kind: str
    port: int
    process: psutil.Process

    def url(self, path: str) -> str:
        return f"ws://127.0.0.1:{self.port}/{path}"


@contextmanager
def gated_server(kind: str) -> Iterator[GatedServer]:
    port = free_port()
    command = [sys.executable, "-m", "tests.gated_server", str(port), kind]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield GatedServer(kind, port, psutil.Process(process.pid))
        finally:
            process.kill()


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[GatedServer]:
    with gated_server(request.param) as running:
        yield running


@pytest.fixture(scope="module", params=SERVERS)
def shared_server(request: pytest.FixtureRequest) -> Iterator[GatedServer]:
    """For tests that leave its gate as it is."""
    with gated_server(request.param) as running:
        yield running


@dataclass(frozen=True, slots=True)
class Flooded:
    """What became of a flood that the application let wait for a while."""

    sent_at_once: bool
    """Whether the server swallowed everything before the application took any."""
    waiting: int
    answer: dict[str, Any]
    peak_growth: int
    """Bytes of the server's memory."""


async def flood(server: GatedServer) -> Flooded:
    """Sends 100 MB at an application that takes none of it until the server stops reading or has it all."""
    peak = Peak(server.process)
    async with (
        connect(server.url("gated"), compression=None) as socket,
        connect(server.url("control")) as control,
    ):
        sending = asyncio.create_task(send_flood(socket))
        await control.send("paused")
        paused = asyncio.create_task(control.recv())
        await asyncio.wait({sending, paused}, timeout=TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        sent_at_once = sending.done()
        waiting = json.loads(paused.result())["waiting"] if paused.done() else 0
        await open_gate(server)
        await sending
        answer = json.loads(await asyncio.wait_for(socket.recv(), TIMEOUT_S))
    return Flooded(sent_at_once, waiting, answer, peak.growth())


async def send_flood(socket: Any) -> None:
    for _ in range(FLOOD):
        await socket.send(MESSAGE)
    await socket.send("done")


async def open_gate(server: GatedServer) -> None:
    async with connect(server.url("control")) as control:
        await control.send("open")
        await control.send("done")
        assert await control.recv() == "done"


def test_a_flood_waits_with_its_sender_and_arrives_whole(server: GatedServer) -> None:
    flooded = asyncio.run(flood(server))
    assert not flooded.sent_at_once
    assert flooded.waiting in WAITING[server.kind]
    assert flooded.answer == {
        "count": FLOOD,
        "bytes": FLOOD * len(MESSAGE),
        "sha256": hashlib.sha256(MESSAGE * FLOOD).hexdigest(),
    }
    assert flooded.peak_growth < 16 * MEGABYTE


def test_daphne_alone_would_swallow_the_flood() -> None:
    """Why `PacedServer` exists, and that the test above would notice its absence."""
    with gated_server("plain") as plain:
        flooded = asyncio.run(flood(plain))
    assert flooded.sent_at_once
    assert flooded.peak_growth > 80 * MEGABYTE


def test_others_are_served_while_one_is_not_read(server: GatedServer) -> None:
    with RawWebSocket(server.url("gated")) as flooder:
        for _ in range(2 * MAX_WAITING):
            flooder.send(b"x")
        with RawWebSocket(server.url("control")) as other:
            other.send(b"paused", TEXT)
            assert other.receive_json()["waiting"] >= WAITING[server.kind].start
            other.send_json({"type": "anything"})
            assert other.receive_json() == {"type": "anything"}


def test_a_message_of_the_largest_size_is_taken_and_one_more_byte_is_refused(server: GatedServer) -> None:
    with RawWebSocket(server.url("gated")) as socket:
        socket.send(bytes(MAX_MESSAGE_BYTES))
        socket.send(b"done", TEXT)
        asyncio.run(open_gate(server))
        assert socket.receive_json()["bytes"] == MAX_MESSAGE_BYTES
    with RawWebSocket(server.url("gated")) as socket:
        socket.send(bytes(MAX_MESSAGE_BYTES + 1))
        for _ in range(50):
            socket.send(bytes(MAX_MESSAGE_BYTES))  # whoever goes on reads it nevertheless
        assert socket.receive_json()["code"] == "frame_too_large"
        assert socket.close_code() == 4413


def test_a_huge_length_is_refused_before_any_of_it_arrives(shared_server: GatedServer) -> None:
    peak = Peak(shared_server.process)
    with RawWebSocket(shared_server.url("gated")) as socket:
        socket.send_bytes(client_header(0x82, 1 << 30))
        assert socket.close_code() == 4413
    assert peak.growth() < MEGABYTE


def test_fragments_count_together(shared_server: GatedServer) -> None:
    with RawWebSocket(shared_server.url("gated")) as socket:
        socket.send(bytes(40_000), BINARY, final=False)
        socket.send(bytes(40_000), CONTINUATION)
        assert socket.close_code() == 4413


def test_broken_text_is_refused_with_its_code(shared_server: GatedServer) -> None:
    with RawWebSocket(shared_server.url("control")) as socket:
        socket.send(b"\xff\xfe", TEXT)
        assert socket.close_code() == 1007


def test_sending_waits_for_nobody(server: GatedServer) -> None:
    """A viewer that does not read would keep the feed from all viewers after it."""
    with RawWebSocket(server.url("loud"), receive_buffer=4_096), RawWebSocket(server.url("control")) as other:
        other.send(b"told", TEXT)
        assert other.receive_json() == {"told": True}


def test_the_end_waits_for_nobody_for_long(server: GatedServer) -> None:
    with RawWebSocket(server.url("loud"), receive_buffer=4_096), RawWebSocket(server.url("control")) as other:
        other.send(b"told", TEXT)
        assert other.receive_json() == {"told": True}
        server.process.terminate()
        assert farewell(other) == FAREWELL[server.kind]
        server.process.wait(END_S)


def farewell(socket: RawWebSocket) -> int | None:
    try:
        return socket.close_code()
    except ConnectionError:
        return None


@pytest.mark.parametrize("size", [1, 125, 126, 65_534])
async def test_text_comes_back_as_it_was_sent(shared_server: GatedServer, size: int) -> None:
    """Each size has its own form of frame header; an independent client reads them."""
    texts = ["ä" * (size // 2) + "x" * (size % 2), "x" * size]
    async with connect(shared_server.url("control")) as socket:
        for text in texts:
            await socket.send(text)
            assert await socket.recv() == text


def test_nobody_is_believed_on_who_he_is(shared_server: GatedServer) -> None:
    """Whom proxies speak for is decided later, by the settings (`addresses`)."""
    claimed = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "Forwarded": "for=203.0.113.9"}
    answer = httpx.get(f"http://127.0.0.1:{shared_server.port}/caller", headers=claimed)
    assert answer.text == "http 127.0.0.1"


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_a_frame_is_the_one_that_another_implementation_makes(size: int) -> None:
    assert text_frame("x" * size) == Frame(Opcode.TEXT, b"x" * size).serialize(mask=False)
