"""Hundreds of viewers in one process, with little overhead, so that the server dominates the measurement."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.rawsocket import TEXT, client_frame

CONFIRM_S = 2.5
"""Seconds between a viewer's confirmations; the protocol requires them every 5 s or 50 messages."""

AT_ONCE = 50
"""Concurrent handshakes."""

JOIN_TIMEOUT_S = 60.0

PING, PONG = 9, 10


@dataclass(frozen=True, slots=True)
class Arrival:
    """One stored change at one viewer."""

    seq: int
    at: float
    """`time.monotonic` when its last byte arrived."""
    message: dict[str, Any]


class BenchmarkViewer(asyncio.Protocol):
    """Records when bytes arrive, and parses them later in `digest`."""

    def __init__(self, url: str) -> None:
        self.arrivals: list[Arrival] = []
        self.greeted = asyncio.Event()
        self.lost = False
        self._url = urlsplit(url)
        self._chunks: list[tuple[float, bytes]] = []
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    @property
    def last_seq(self) -> int:
        return self.arrivals[-1].seq if self.arrivals else 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        head = (
            f"GET {self._url.path}?{self._url.query} HTTP/1.1\r\nHost: {self._url.netloc}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        transport.write(head.encode())

    def data_received(self, data: bytes) -> None:
        self._chunks.append((time.monotonic(), data))
        if not self.greeted.is_set() and b'"hello"' in data:
            self.greeted.set()

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        self.greeted.set()

    def digest(self) -> None:
        """Parse what arrived since the last call, and answer pings as a browser does."""
        chunks, self._chunks = self._chunks, []
        for at, data in chunks:
            self._buffer += data
            for opcode, payload in self._frames():
                self._take(opcode, payload, at)

    def _take(self, opcode: int, payload: bytes, at: float) -> None:
        if opcode == PING:
            self.send(client_frame(payload, PONG))
        elif opcode == TEXT and (message := json.loads(payload))["type"] == "caption":
            self.arrivals.append(Arrival(message["seq"], at, message))

    def confirm(self) -> None:
        self.send(client_frame(json.dumps({"type": "seen", "seq": self.last_seq}).encode(), TEXT))

    def send(self, frame: bytes) -> None:
        assert self._transport is not None
        if not self.lost:
            self._transport.write(frame)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _frames(self) -> Iterator[tuple[int, bytes]]:
        """Yield opcodes and payloads of the complete frames in the buffer (servers do not mask)."""
        at = self._buffer.index(b"\r\n\r\n") + 4 if self._buffer.startswith(b"HTTP/1.1 101") else 0
        while (frame := _frame_at(self._buffer, at)) is not None:
            opcode, start, at = frame
            yield opcode, self._buffer[start:at]
        self._buffer = self._buffer[at:]


def _frame_at(buffer: bytes, at: int) -> tuple[int, int, int] | None:
    """Return opcode, start and end of the payload of the frame at `at`; None while it is incomplete."""
    if len(buffer) < at + 4:
        return None
    length, start = buffer[at + 1] & 0x7F, at + 2
    if length == 126:
        (length,), start = struct.unpack_from(">H", buffer, at + 2), at + 4
    end = start + length
    return (buffer[at] & 0x0F, start, end) if len(buffer) >= end else None


async def join(url: str, count: int) -> list[BenchmarkViewer]:
    """Connect `count` viewers; return when all are greeted. Raises ConnectionError if one was refused."""
    entrance = asyncio.Semaphore(AT_ONCE)
    address = urlsplit(url)

    async def enter() -> BenchmarkViewer:
        async with entrance:
            loop = asyncio.get_running_loop()
            _, viewer = await loop.create_connection(lambda: BenchmarkViewer(url), address.hostname, address.port)
            await asyncio.wait_for(viewer.greeted.wait(), JOIN_TIMEOUT_S)
            return viewer

    viewers = await asyncio.gather(*(enter() for _ in range(count)))
    if any(viewer.lost for viewer in viewers):
        raise ConnectionError("the server has hung up on a viewer")
    return viewers


async def read(viewers: list[BenchmarkViewer], last: int, *, timeout_s: float) -> None:
    """Digest and confirm for one viewer at a time, spread over CONFIRM_S, until all have `last` or time is up."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline and not all(viewer.last_seq >= last for viewer in viewers):
        for viewer in viewers:
            viewer.digest()
            viewer.confirm()
            await asyncio.sleep(CONFIRM_S / len(viewers))
