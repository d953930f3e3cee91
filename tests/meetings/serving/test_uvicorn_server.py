"""What uvicorn does otherwise and the product undoes, with its own protocols on a port of this process."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from uvicorn.server import ServerState
from websockets.asyncio.client import connect

from meetings.serving import uvicorn_server
from meetings.serving.connections import Connections
from meetings.serving.uvicorn_server import BoundedRequests, BoundedSocket, bounded_config
from tests.gated_server import ScriptedGate
from tests.rawsocket import PING, TEXT, client_frame

SOON_S = 0.05
TIMEOUT_S = 20.0
HANDSHAKE = (
    b"GET /?token=secret HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)

Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


class Listening:
    """The server's side of one port."""

    def __init__(self, application: Application) -> None:
        self.lost = asyncio.Event()
        """Set when a socket's connection is gone."""
        self._state = ServerState()
        self._config = bounded_config(
            application, gate=ScriptedGate(), connections=Connections(most=10), host="127.0.0.1", port=0
        )
        self._config.ws = self._watched()
        self._config.load()

    def make(self) -> BoundedRequests:
        return BoundedRequests(config=self._config, server_state=self._state, app_state={})

    def _watched(self) -> type[BoundedSocket]:
        lost = self.lost

        class WatchedSocket(BoundedSocket):
            def connection_lost(self, exc: Exception | None) -> None:
                super().connection_lost(exc)
                lost.set()

        return WatchedSocket


@asynccontextmanager
async def listening(application: Application) -> AsyncIterator[tuple[Listening, int]]:
    side = Listening(application)
    server = await asyncio.get_running_loop().create_server(side.make, "127.0.0.1", 0)
    async with server:
        yield side, server.sockets[0].getsockname()[1]


async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """An application that says `here` to a whole request, and to a socket."""
    message = await receive()
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "here"})
        return
    while message.get("more_body"):
        message = await receive()
    if message["type"] == "http.request":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"here"})


@pytest.mark.parametrize("closing", [False, True], ids=["an open socket", "a closed one"])
async def test_who_takes_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch, closing: bool) -> None:
    monkeypatch.setattr(uvicorn_server, "PING_S", SOON_S)
    sent_while_there = []

    async def shout(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        for _ in range(4_000):
            await send({"type": "websocket.send", "text": "x" * 4_000})
        if closing:
            await send({"type": "websocket.close", "code": 4401})
        sent_while_there.append(not side.lost.is_set())
        while (await receive())["type"] != "websocket.disconnect":
            pass

    async with listening(shout) as (side, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=4_096)
        writer.write(HANDSHAKE)
        await asyncio.wait_for(side.lost.wait(), TIMEOUT_S)
        writer.close()
    assert sent_while_there == [True]


async def test_who_talks_over_a_slow_line_is_not_taken_for_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer to a ping waits behind what is being sent. What lies unread meanwhile has its own bound."""
    monkeypatch.setattr(uvicorn_server, "PING_S", SOON_S)

    async def echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] != "websocket.disconnect":
            await send({"type": "websocket.send", "text": message["text"]})

    async with listening(echo) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HANDSHAKE)
        await reader.readuntil(b"\r\n\r\n")
        began = time.monotonic()
        while time.monotonic() - began < 10 * SOON_S:
            writer.write(client_frame(b"here", TEXT))
            await asyncio.wait_for(reader.readuntil(b"here"), TIMEOUT_S)
        writer.close()


async def test_pings_are_no_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uvicorn_server, "PING_S", SOON_S)

    async def listen(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass

    async with listening(listen) as (side, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HANDSHAKE)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(client_frame(b"x", PING))
        await asyncio.wait_for(side.lost.wait(), TIMEOUT_S)
        writer.close()


async def test_a_word_to_who_is_gone_harms_nobody() -> None:
    said: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def talk(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await side.lost.wait()
        await send({"type": "websocket.send", "text": "still there?"})
        await send({"type": "websocket.close", "code": 4401})
        said.set_result(None)

    async with listening(talk) as (side, port):
        async with connect(f"ws://127.0.0.1:{port}/"):
            pass
        await asyncio.wait_for(said, TIMEOUT_S)


async def test_no_token_gets_into_a_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with listening(answer) as (_, port), connect(f"ws://127.0.0.1:{port}/?token=secret") as socket:
        assert await socket.recv() == "here"
    named = [record for record in caplog.records if record.name.startswith("uvicorn")]
    assert [record.getMessage() for record in named] == []
