"""Daphne with a bound on what a flood can pile up.

Daphne reads a socket as fast as it can and queues without limit for the application (400 MB from one client, measured).
Here a socket whose messages wait is not read until the application has taken them: TCP then slows the sender down.
"""

from __future__ import annotations

import asyncio
from typing import Any

import daphne.server
from daphne.server import Server
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol

from meetings.serving.bodies import BodyQueue, BoundedFactory, Gate
from meetings.serving.server import MAX_MESSAGE_BYTES, PING_S, fault_text, text_frame
from meetings.sockets.errors import SocketFault

MAX_WAITING = 64
"""Messages of one socket that may wait for the application: 4 MB at worst, 200 kB of ordinary audio frames."""

APPLICATION_CLOSE_S = 5
BODY_MESSAGE = 65_536
"""Bytes of a body that a message brings."""


class WatchedQueue(asyncio.Queue[dict[str, Any]]):
    """Tells its reader's pace: `on_drained` is called when what waits has fallen to half the bound."""

    on_drained: Any = None

    async def get(self) -> dict[str, Any]:
        message = await super().get()
        if self.on_drained is not None and self.qsize() <= MAX_WAITING // 2:
            self.on_drained()
        return message


class PacedProtocol(WebSocketProtocol):
    """Stops reading its socket while too many messages wait; tells what was wrong before it hangs up."""

    reading_paused = False
    failByDrop = False  # noqa: N815  (Autobahn's name)
    """Autobahn: close with a code, instead of cutting the connection without a word."""

    def applicationCreateWorked(self, application_queue: WatchedQueue) -> None:
        application_queue.on_drained = self.resume_reading
        super().applicationCreateWorked(application_queue)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        super().onMessage(payload, isBinary)
        if not self.reading_paused and self.application_queue.qsize() >= MAX_WAITING:
            self.reading_paused = True
            self.transport.pauseProducing()

    def serverSend(self, content: str | bytes, binary: bool = False) -> None:
        """Daphne's hook for every message out. Autobahn frames each one anew and formats log lines for it."""
        if isinstance(content, str) and self.state == self.STATE_OPEN:
            self.transport.write(text_frame(content))
        else:
            super().serverSend(content, binary)

    def resume_reading(self) -> None:
        if self.reading_paused:
            self.reading_paused = False
            self.transport.resumeProducing()

    def _max_message_size_exceeded(self, msg_size: int, max_msg_size: int, reason: str) -> None:
        """Autobahn's hook; its own closes with 1009, ours as for any frame that is too large."""
        fault = SocketFault("frame_too_large")
        self.sendMessage(fault_text(fault).encode())
        self._fail_connection(fault.close_code, reason)


class PacedServer(Server):
    """Daphne's server with `PacedProtocol` for its sockets, and bounds for what requests bring."""

    def __init__(self, application: Any, *, gate: Gate, **options: Any) -> None:
        super().__init__(application, **options)
        self.gate = gate

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        """As Daphne's, with a queue that knows when it is drained, or that keeps a body in its file."""
        queue = WatchedQueue() if isinstance(protocol, PacedProtocol) else BodyQueue(protocol.content)
        scope.setdefault("asgi", {"version": "3.0"})
        application = self.application(scope=scope, receive=queue.get, send=self._reply_to(protocol))
        self.connections[protocol]["application_instance"] = asyncio.ensure_future(application)
        return queue

    def _reply_to(self, protocol: Any) -> Any:
        async def send(message: dict[str, Any]) -> None:
            await self.handle_reply(protocol, message)

        return send


def make_server(application: Any, *, gate: Gate, host: str, port: int) -> PacedServer:
    """A server of `application` with our limits; its `run` blocks until the process is told to stop."""
    WebSocketFactory.protocol = PacedProtocol
    daphne.server.HTTPFactory = BoundedFactory  # Daphne has no other way to tell it
    return PacedServer(
        application,
        gate=gate,
        endpoints=[f"tcp:port={port}:interface={host.replace(':', chr(92) + ':')}"],
        signal_handlers=True,
        websocket_max_message_size=MAX_MESSAGE_BYTES,
        websocket_max_frame_size=MAX_MESSAGE_BYTES,
        ping_interval=PING_S,
        ping_timeout=PING_S,
        application_close_timeout=APPLICATION_CLOSE_S,
        server_name="parlance",
        request_buffer_size=BODY_MESSAGE,
        verbosity=0,
    )
