"""A web server whose application reads only when told: `python -m tests.gated_server PORT paced|daphne`.

`/gated` accepts and takes no message until `/control` says `open`; then it takes all of them up to `done` and answers
with how many came, their bytes and their SHA-256. `/control` says `paused` when a socket is no longer read, and
sends any other text back at once. Requests are answered with the length of their bodies.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from typing import Any

from daphne.server import Server
from django.conf import settings

from meetings.server import PacedProtocol, make_server

gate = asyncio.Event()
server: Server


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await measure(receive, send)
        return
    await receive()
    await send({"type": "websocket.accept"})
    await (gated if scope["path"] == "/gated" else control)(receive, send)


async def measure(receive: Any, send: Any) -> None:
    """Answers a request with the length of its body."""
    size, is_over = 0, False
    while not is_over:
        message = await receive()
        size += len(message["body"])
        is_over = not message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


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


async def control(receive: Any, send: Any) -> None:
    while (message := await receive())["type"] != "websocket.disconnect":
        match message["text"]:
            case "open":
                gate.set()
            case "paused":
                await tell(send, {"waiting": await paused()})
            case text:
                await send({"type": "websocket.send", "text": text})


async def paused() -> int:
    """Waits until some socket is no longer read; returns how many of its messages wait for the application."""
    while True:
        for protocol in list(server.connections):
            if isinstance(protocol, PacedProtocol) and protocol.reading_paused:
                return protocol.application_queue.qsize()
        await asyncio.sleep(0.01)


async def tell(send: Any, message: dict[str, Any]) -> None:
    await send({"type": "websocket.send", "text": json.dumps(message)})


def main(port: int, kind: str) -> None:
    global server
    # Sentences for people are looked up in the language of the page; here nobody reads them.
    settings.configure(USE_I18N=False)
    if kind == "paced":
        server = make_server(application, host="127.0.0.1", port=port)
    else:
        server = Server(application, endpoints=[f"tcp:port={port}:interface=127.0.0.1"], verbosity=0)
    server.ready_callable = lambda: print("ready", flush=True)
    server.run()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
