"""uvicorn with the bounds that Daphne has here (docs/decisions/0010).

By itself it reads no socket whose messages wait, so that what waits is what one read has brought (256 KiB), and it
brings bodies as they come. The rest is undone here: it waits to send until a viewer has read, and with it waits
everybody who is served after that viewer; it waits for ever for who says nothing, and for who takes nothing of what was
sent.
"""

from __future__ import annotations

import logging
import socket
from typing import Any

from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import PayloadTooBig
from websockets.frames import Close, Frame, Opcode

from meetings.serving.bodies import BoundedBodies, Gate
from meetings.serving.server import MAX_MESSAGE_BYTES, PING_S, fault_text, text_frame
from meetings.sockets.errors import SocketFault

SILENCE_S = 60
"""A connection that says nothing for so long, before its request is whole or after its answer, ends."""

CLOSE_S = 5.0
"""How long a browser may take to answer a close."""

DRAIN_S = 3
"""For requests under way when the process is told to stop; the supervisor gives all processes together 15 s."""


class BoundedSocket(WebSocketsSansIOProtocol):
    """Sends at once, the same frame to all; tells what was wrong before it hangs up; cuts off who takes nothing."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.close_timeout = CLOSE_S

    def pause_writing(self) -> None:
        """uvicorn's `send` would wait from now on. What may lie here is bounded by `broadcast.MAX_UNCONFIRMED`."""

    async def send(self, message: Any) -> None:
        """As Daphne's: a frame made once for all who are sent the same, and no word to who is gone."""
        if self.close_sent or self.disconnected or self.transport.is_closing():
            return
        text = message.get("text") if message["type"] == "websocket.send" else None
        if text is not None and self.handshake_complete:
            self.transport.write(text_frame(text))
        else:
            await super().send(message)

    def handle_parser_exception(self) -> None:
        """uvicorn's hook for what is not let in; its own closes with 1009 where a message is too large."""
        if self.close_sent:
            return  # what comes behind it
        if self.conn.close_sent is None:
            self.transport.abort()  # nobody has said yet that this is a WebSocket
        elif isinstance(self.conn.parser_exc, PayloadTooBig):
            fault = SocketFault("frame_too_large")
            close = Close(fault.close_code or 0, "")
            self._hang_up(close, text_frame(fault_text(fault)) + _close_frame(close))
        else:
            self._hang_up(self.conn.close_sent, b"".join(self.conn.data_to_send()))

    def _hang_up(self, close: Close, farewell: bytes) -> None:
        """Ends our half and reads on to the end: a connection with unread bytes is reset, and the farewell with it."""
        self.queue.put_nowait({"type": "websocket.disconnect", "code": close.code, "reason": close.reason})
        self.close_sent = True
        self.transport.write(farewell)
        self.transport.write_eof()
        self.transport.resume_reading()
        self.close_timer = self.loop.call_later(CLOSE_S, self.transport.abort)

    def data_received(self, data: bytes) -> None:
        """Whatever comes is a sign of life: on a slow line the ping is still on its way, behind what is being read."""
        if self.pong_timer is not None and self.pending_ping_payload is not None:
            self.pong_timer.cancel()
            self.pong_timer = self.pending_ping_payload = None
            self.schedule_ping()
        super().data_received(data)

    def send_keepalive_ping(self) -> None:
        """uvicorn's timer; it lets a closed connection lie until all of what was sent is taken."""
        super().send_keepalive_ping()
        if self.pong_timer is None:
            self.pong_timer = self.loop.call_later(PING_S, self.keepalive_timeout)

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.transport.abort()


def _close_frame(close: Close) -> bytes:
    return Frame(Opcode.CLOSE, close.serialize()).serialize(mask=False)


class BoundedRequests(H11Protocol):
    """Hangs up on who says nothing; uvicorn does so between two requests alone."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._await_more()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._await_more()

    def _await_more(self) -> None:
        is_served = self.cycle is not None and not self.cycle.more_body and not self.cycle.response_complete
        is_socket = self.transport.get_protocol() is not self
        if not (is_served or is_socket or self.timeout_keep_alive_task):
            self.timeout_keep_alive_task = self.loop.call_later(SILENCE_S, self.transport.abort)


class BoundedServer(Server):
    """uvicorn's server with `BoundedSocket` and `BoundedRequests`, for one application on one port."""

    def __init__(self, application: Any, *, gate: Gate, host: str, port: int) -> None:
        super().__init__(bounded_config(application, gate=gate, host=host, port=port))

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Blocks until the process is told to stop. On the port of both kinds of addresses where the host is `::`."""
        super().run(sockets or [self.config.bind_socket()])


def bounded_config(application: Any, *, gate: Gate, host: str, port: int) -> Config:
    """What uvicorn is told. Headers of proxies are left to `addresses`, which knows whom to believe."""
    return Config(
        BoundedBodies(application, gate),
        host=host,
        port=port,
        loop="asyncio",
        http=BoundedRequests,
        ws=BoundedSocket,
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_ping_interval=PING_S,
        ws_ping_timeout=PING_S,
        ws_per_message_deflate=False,
        lifespan="off",
        interface="asgi3",
        proxy_headers=False,
        server_header=False,
        date_header=False,
        access_log=False,
        log_config=None,
        log_level=logging.WARNING,  # what it says of every socket holds the token
        timeout_keep_alive=SILENCE_S,
        timeout_graceful_shutdown=DRAIN_S,
    )
