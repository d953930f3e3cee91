"""What every server holds, against the real ones in processes of their own."""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, get_args

import httpx
import psutil
import pytest
from websockets.asyncio.client import connect
from websockets.frames import Frame, Opcode

from meetings.environment import WebServer
from meetings.live.limits import PINGS_A_MINUTE
from meetings.serving.daphne_server import MAX_WAITING_MESSAGES
from meetings.serving.framing import MAX_MESSAGE_BYTES, text_frame
from tests.live import REPOSITORY, free_port
from tests.memory import Peak
from tests.rawsocket import BINARY, CONTINUATION, PING, PONG, TEXT, RawWebSocket, client_frame, client_header

pytestmark = pytest.mark.xdist_group("servers")

MEGABYTE = 1_000_000
MESSAGE = bytes(range(256)) * 200
FLOOD = 100 * MEGABYTE // len(MESSAGE)
TIMEOUT_S = 60.0
HANDSHAKE = (
    b"GET /%s HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
END_S = 10.0
"""The supervisor gives all processes together 15."""

SERVERS = get_args(WebServer)
WAITING = {"daphne": range(MAX_WAITING_MESSAGES, 2 * MAX_WAITING_MESSAGES), "uvicorn": range(1, 12)}
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
def gated_server(kind: str, *options: str) -> Iterator[GatedServer]:
    """`options`: as the module takes them."""
    port = free_port()
    command = [sys.executable, "-m", "tests.gated_server", str(port), kind, *options]
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
        for _ in range(2 * MAX_WAITING_MESSAGES):
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


@contextmanager
def unread(server: GatedServer, path: str) -> Iterator[socket.socket]:
    """A WebSocket whose client reads nothing but the answer to its handshake, and not even that when it is cut off."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.settimeout(TIMEOUT_S)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(HANDSHAKE % path.encode())
        head = b""
        with suppress(ConnectionError):
            while not head.endswith(b"\r\n\r\n"):
                head += connection.recv(1)
        yield connection


def test_sending_waits_for_nobody(server: GatedServer) -> None:
    """A viewer that does not read would keep the feed from all viewers after it."""
    with unread(server, "loud"), RawWebSocket(server.url("control")) as other:
        other.send(b"told", TEXT)
        assert other.receive_json() == {"told": True}


def is_cut_off(connection: socket.socket) -> bool:
    """Whether the server hangs up while the client goes on sending pings and reads nothing."""
    until = time.monotonic() + TIMEOUT_S
    while time.monotonic() < until:
        try:
            connection.sendall(client_frame(b"x" * 100, PING))
        except ConnectionError:
            return True
    return False


def test_who_takes_nothing_is_cut_off_however_lively(server: GatedServer) -> None:
    """What is sent to it lies in the server: 16 MB, if nobody minded."""
    peak = Peak(server.process)
    with unread(server, "loud") as connection:
        assert is_cut_off(connection)
    assert peak.growth() < 4 * MEGABYTE


def test_control_frames_are_counted(server: GatedServer) -> None:
    """Each ping is answered, and who reads no answers would have them all kept."""
    with RawWebSocket(server.url("control")) as lively:
        for _ in range(PINGS_A_MINUTE):
            lively.send(b"x", PING)
        lively.send(b"here", TEXT)
        assert [lively.receive() for _ in range(PINGS_A_MINUTE)] == [(PONG, b"x")] * PINGS_A_MINUTE
        assert lively.receive() == (TEXT, b"here")
        lively.send(b"x", PING)
        assert lively.receive_json()["code"] == "too_many_messages"
        assert lively.close_code() == 4429
    with RawWebSocket(server.url("control")) as other:
        other.send(b"anything", TEXT)
        assert other.receive() == (TEXT, b"anything")


def test_pings_without_end_cost_little(server: GatedServer) -> None:
    peak = Peak(server.process)
    with unread(server, "control") as connection:
        assert is_cut_off(connection)
    assert peak.growth() < 4 * MEGABYTE


async def test_a_server_asks_whether_anybody_is_there(server: GatedServer) -> None:
    """A library answers pings by itself, as browsers do; the raw client does not."""
    async with connect(server.url("alive")) as socket:
        assert json.loads(await socket.recv()) == {"alive": True}
    with RawWebSocket(server.url("alive")) as silent:
        assert await asyncio.to_thread(silent.receive_json) == {"alive": False}


def test_an_answer_waits_until_it_is_taken(server: GatedServer) -> None:
    """64 MB of it; whoever reads them gets them all."""
    peak = Peak(server.process)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.settimeout(TIMEOUT_S)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        assert httpx.get(f"http://127.0.0.1:{server.port}/caller").status_code == 200
        assert peak.growth() < 16 * MEGABYTE
    assert len(httpx.get(f"http://127.0.0.1:{server.port}/large", timeout=TIMEOUT_S).content) == 64 * MEGABYTE


@pytest.mark.parametrize("kind", SERVERS)
def test_connections_are_bounded(kind: str) -> None:
    with gated_server(kind, "most=3") as server:
        held = [socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT_S) for _ in range(2)]
        with RawWebSocket(server.url("control")) as last:
            assert httpx.get(f"http://127.0.0.1:{server.port}/").status_code == 503
            last.send(b"anything", TEXT)
            assert last.receive() == (TEXT, b"anything")
        held.pop().close()
        until = time.monotonic() + TIMEOUT_S
        while httpx.get(f"http://127.0.0.1:{server.port}/").status_code == 503:
            assert time.monotonic() < until, "whoever has left makes room, sockets too"
        held.pop().close()


def test_the_end_waits_for_nobody_for_long(server: GatedServer) -> None:
    with unread(server, "loud"), RawWebSocket(server.url("control")) as other:
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
