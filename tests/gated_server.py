"""A web server whose application reads only when told: `python -m tests.gated_server PORT daphne|uvicorn|plain …`.

`daphne` and `uvicorn` are the product's servers, `plain` is Daphne as it comes. `/gated` accepts and takes no message
until `/control` says `open`; then it takes all of them up to `done` and answers with how many came, their bytes and
their SHA-256. `/loud` is sent 16 MB at once. `/control` says `paused` when a socket is no longer read, `told` when all
of that has been sent, and sends any other text back at once. `/alive` is told whether the server's ping was answered.
Requests are answered with the length of their bodies, those for `/caller` with who made them, those for `/large` with
64 MB, those for `/slow` after two seconds, for `/token` with a token, for `/inside` with how many requests are through
the gate (`ScriptedGate`). `most=N` is how many connections there may be, `seconds=S` how long each
part of a request may take.
"""

from __future__ import annotations

import asyncio
import atexit
import hashlib
import json
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from daphne.server import Server
from django.conf import settings

from meetings.accounts.api_errors import Refused
from meetings.accounts.bearer import is_well_made, new_token, token_in
from meetings.live.presence import LINK
from meetings.serving import deadlines
from meetings.serving.connections import Connections
from meetings.serving.daphne_server import PacedProtocol, make_server
from meetings.serving.uvicorn_server import BoundedServer, BoundedSocket

LOUD_TEXT = "x" * 4_000
LOUD_TIMES = 4_000
LARGE_TIMES = 64
SLOW_S = 2.0

gate = asyncio.Event()
told = asyncio.Event()
server: Any


class ScriptedGate:
    """Asked about `/v1/`: lets in who has a token of this server, breaks where it is told to, keeps some waiting."""

    def __init__(self) -> None:
        self.inside = self.asked = 0

    def guards(self, path: bytes) -> bool:
        return path.startswith(b"/v1/")

    async def enter(self, authorization: str) -> ScriptedGate:
        self.asked += 1
        match authorization:
            case "Bearer broken":
                raise ZeroDivisionError
            case "Bearer slow":
                await gate.wait()
            case _ if not is_well_made(token_in(authorization)):
                raise Refused(401, "invalid_api_key", "No.")
        self.inside += 1
        return self

    def leave(self) -> None:
        self.inside -= 1


doorkeeper = ScriptedGate()


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        match scope["path"]:
            case "/caller":
                await tell_caller(scope, send)
            case "/token":
                await respond(send, new_token())
            case "/inside":
                await respond(send, f"{doorkeeper.inside} {doorkeeper.asked}")
            case "/large":
                await send_large(send)
            case "/slow":
                await asyncio.sleep(SLOW_S)
                await respond(send, "here")
            case _:
                await measure(receive, send)
        return
    await receive()
    await send({"type": "websocket.accept"})
    if scope["path"] == "/alive":
        await tell(send, {"alive": await scope["extensions"][LINK].answers(1.0)})
        await receive()
        return
    await {"/gated": gated, "/loud": loud, "/control": control}[scope["path"]](receive, send)


async def tell_caller(scope: dict[str, Any], send: Any) -> None:
    """Answers a request with what the server says of who made it."""
    await respond(send, f"{scope['scheme']} {scope['client'][0]}")


async def send_large(send: Any) -> None:
    """Answers with what is too much to lie anywhere."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(LARGE_TIMES):
        await send({"type": "http.response.body", "body": bytes(1_000_000), "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def measure(receive: Any, send: Any) -> None:
    """Answers a request with the length of its body."""
    size, is_over = 0, False
    while not is_over:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message["body"])
        is_over = not message["more_body"]
    await respond(send, str(size))


async def respond(send: Any, text: str) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})


async def gated(receive: Any, send: Any) -> None:
    await gate.wait()
    count, size, digest = 0, 0, hashlib.sha256()
    while (message := await receive()).get("text") != "done":
        if message["type"] == "websocket.disconnect":
            return
        count += 1
        size += len(message["bytes"])
        digest.update(message["bytes"])
    await tell(send, {"count": count, "bytes": size, "sha256": digest.hexdigest()})


async def loud(receive: Any, send: Any) -> None:
    for _ in range(LOUD_TIMES):
        await send({"type": "websocket.send", "text": LOUD_TEXT})
    told.set()
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def control(receive: Any, send: Any) -> None:
    while (message := await receive())["type"] != "websocket.disconnect":
        match message["text"]:
            case "open":
                gate.set()
            case "paused":
                await tell(send, {"waiting": await paused()})
            case "told":
                await told.wait()
                await tell(send, {"told": True})
            case text:
                await send({"type": "websocket.send", "text": text})


async def paused() -> int:
    """Waits until some socket is no longer read; returns how many of its messages wait for the application."""
    while True:
        for waiting in waiting_unread():
            return waiting
        await asyncio.sleep(0.01)


def waiting_unread() -> Iterator[int]:
    """Messages that wait, of each socket that is not read."""
    if isinstance(server, BoundedServer):
        for connection in server.server_state.connections:
            if isinstance(connection, BoundedSocket) and connection.read_paused:
                yield connection.queue.qsize()
    else:
        for protocol in list(server.connections):
            if isinstance(protocol, PacedProtocol) and protocol.reading_paused:
                yield protocol.application_queue.qsize()


async def tell(send: Any, message: dict[str, Any]) -> None:
    await send({"type": "websocket.send", "text": json.dumps(message)})


def ready() -> None:
    print("ready", flush=True)


class TellingServer(BoundedServer):
    """Says when it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        ready()


def main(port: int, kind: str, *options: str) -> None:
    global server
    chosen = dict(option.split("=") for option in options)
    if "seconds" in chosen:
        for name in ("IDLE_TIMEOUT_S", "HEAD_S", "BODY_GRACE_S", "BODY_LOOK_S", "TAKE_S"):
            setattr(deadlines, name, float(chosen["seconds"]))
    # Sentences for people are looked up in the language of the page; here nobody reads them.
    folder = Path(tempfile.mkdtemp(prefix="parlance-gated-"))
    environment = SimpleNamespace(data=folder, base_path="", cors_origins=["app://obsidian.md"])
    atexit.register(shutil.rmtree, environment.data, ignore_errors=True)
    settings.configure(USE_I18N=False, SECRET_KEY="gated", ENVIRONMENT=environment)
    connections = Connections(most=int(chosen["most"]) if "most" in chosen else None)
    if kind == "plain":
        server = Server(application, endpoints=[f"tcp:port={port}:interface=127.0.0.1"], verbosity=0)
    elif kind == "uvicorn":
        server = TellingServer(application, gate=doorkeeper, connections=connections, host="127.0.0.1", port=port)
    else:
        server = make_server(application, gate=doorkeeper, connections=connections, host="127.0.0.1", port=port)
    if not isinstance(server, TellingServer):
        server.ready_callable = ready
    server.run()


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
