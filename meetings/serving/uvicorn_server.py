"""uvicorn, with the bounds that Daphne has here (docs/decisions/0010).

uvicorn itself stops reading a socket whose messages wait, so that only what one read has brought can wait (256 KiB),
and it streams bodies. The rest is changed here. Its `send` waits until a viewer has read, which delays every viewer
served after that one. It waits without limit for clients that send nothing or a byte now and then, and for clients that
take nothing. It answers any number of pings.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from typing import Any

import h11
import structlog
from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import PayloadTooBig
from websockets.frames import Close, Frame, Opcode

from meetings.live.errors import SocketFault
from meetings.live.limits import PINGS_A_MINUTE, TokenBucket
from meetings.live.presence import LINK, Probes
from meetings.serving import deadlines
from meetings.serving.bodies import BoundedBodies, Gate
from meetings.serving.connections import BUSY, Connections, ConnectionSlot
from meetings.serving.deadlines import RequestClock
from meetings.serving.framing import MAX_MESSAGE_BYTES, MAX_UNREAD_BYTES, PING_S, fault_text, text_frame

log = structlog.get_logger(__name__)

CLOSE_S = 5.0
"""How long a browser may take to answer a close."""

SERVER_DRAIN_S = 3
"""For requests in progress when the process is stopped. The supervisor gives all processes together 15 s."""


class BoundedSocket(WebSocketsSansIOProtocol):
    """Send at once, with one frame for all; cut off clients that do not read; send a reason before closing."""

    place: ConnectionSlot | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.close_timeout = CLOSE_S
        self.controls = TokenBucket(time.monotonic(), PINGS_A_MINUTE)
        self.probes = Probes()

    def connection_lost(self, exc: Exception | None) -> None:
        self.probes.close()
        if self.place is not None:
            self.place.leave()
        super().connection_lost(exc)

    async def run_asgi(self) -> None:
        extensions: Any = self.scope["extensions"]
        extensions[LINK] = self
        await super().run_asgi()

    async def answers(self, within_s: float) -> bool:
        """Implement `presence.Link`."""
        is_open = self.handshake_complete and not (self.close_sent or self.disconnected or self.transport.is_closing())
        return is_open and await self.probes.ask(self._ping, within_s)

    def pause_writing(self) -> None:
        """Do nothing: uvicorn's `send` would wait from now on. MAX_UNREAD_BYTES bounds the buffer instead."""

    async def send(self, message: Any) -> None:
        """Send as in Daphne: one cached frame for all recipients, and nothing after the close."""
        if self.close_sent or self.disconnected or self.transport.is_closing():
            return
        text = message.get("text") if message["type"] == "websocket.send" else None
        if text is not None and self.handshake_complete:
            self.transport.write(text_frame(text))
        else:
            await super().send(message)
        self._look_at_unread()

    def send_receive_event_to_app(self) -> None:
        """Treat a message as a sign of life: on a slow connection the pong may still be queued behind it."""
        if self.pong_timer is not None and self.pending_ping_payload is not None:
            self.pong_timer.cancel()
            self.pong_timer = self.pending_ping_payload = None
            self.schedule_ping()
        super().send_receive_event_to_app()

    def handle_ping(self) -> None:
        if self._may_control():
            super().handle_ping()
            self._look_at_unread()
        else:
            self.conn.data_to_send()  # discard the pong, which the parser has already made

    def handle_pong(self, event: Frame) -> None:
        if self.probes.answer(bytes(event.data)) or self._may_control():  # what we asked for is not counted
            super().handle_pong(event)

    def handle_parser_exception(self) -> None:
        """uvicorn's hook for invalid frames. It would close with 1009 if a message is too large."""
        if self.close_sent:
            return  # data after the close
        if self.conn.close_sent is None:
            self.transport.abort()  # the WebSocket handshake is not complete
        elif isinstance(self.conn.parser_exc, PayloadTooBig):
            self._refuse(SocketFault("frame_too_large"))
        else:
            self._hang_up(self.conn.close_sent, b"".join(self.conn.data_to_send()))

    def send_keepalive_ping(self) -> None:
        """uvicorn's timer. It would keep a closed connection until all that was sent is taken."""
        super().send_keepalive_ping()
        if self.pong_timer is None:
            self.pong_timer = self.loop.call_later(PING_S, self.keepalive_timeout)

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.transport.abort()

    def _ping(self, payload: bytes) -> None:
        self.conn.send_ping(payload)
        self.transport.write(b"".join(self.conn.data_to_send()))

    def _may_control(self) -> bool:
        """Return whether one more control frame is allowed. If not, close the socket."""
        if self.close_sent:
            return False
        if not self.controls.allows(time.monotonic()):
            self._refuse(SocketFault("too_many_messages"))
            return False
        return True

    def _look_at_unread(self) -> None:
        unread_bytes = self.transport.get_write_buffer_size()
        if unread_bytes > MAX_UNREAD_BYTES and not self.transport.is_closing():
            log.warning("reader_cut_off", unread_bytes=unread_bytes)
            self.transport.abort()

    def _refuse(self, fault: SocketFault) -> None:
        close = Close(fault.close_code or 0, "")
        self._hang_up(close, text_frame(fault_text(fault)) + _close_frame(close))

    def _hang_up(self, close: Close, farewell: bytes) -> None:
        """Send `farewell`, end our half, and read to the end: unread bytes would reset the connection and lose it."""
        self.queue.put_nowait({"type": "websocket.disconnect", "code": close.code, "reason": close.reason})
        self.close_sent = True
        self.transport.write(farewell)
        self.transport.write_eof()
        self.transport.resume_reading()
        self.close_timer = self.loop.call_later(CLOSE_S, self.transport.abort)


def _close_frame(close: Close) -> bytes:
    return Frame(Opcode.CLOSE, close.serialize()).serialize(mask=False)


class BoundedConfig(Config):
    """The configuration that uvicorn passes to each connection."""

    places: Connections


class BoundedRequests(H11Protocol):
    """One connection, if the limit allows it, with deadlines for requests to arrive and responses to be taken."""

    config: BoundedConfig
    place: ConnectionSlot | None = None
    untaken_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.clock = RequestClock(self.transport.abort)
        self.place = self.config.places.enter(self.client[0] if self.client else "")
        if self.place is None:
            self.transport.write(BUSY)
            self.transport.close()
        else:
            self.clock.await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self.clock.stop()
        self.resume_writing()
        if self.place is not None:
            self.place.leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.place is None:
            return
        self.clock.receive(len(data))
        super().data_received(data)

    def handle_events(self) -> None:
        super().handle_events()
        if self.transport.get_protocol() is not self or self.transport.is_closing():
            self.clock.stop()
        elif self.conn.their_state is h11.SEND_BODY:
            self.clock.await_body()
        elif self.conn.their_state is not h11.IDLE:
            self.clock.stop()

    def on_response_complete(self) -> None:
        if not self.transport.is_closing():
            self.clock.await_request()
        super().on_response_complete()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Pass the connection's slot on to the WebSocket."""
        super().handle_websocket_upgrade(event)
        self.transport.get_protocol().place = self.place  # type: ignore[attr-defined]

    def pause_writing(self) -> None:
        """Start a deadline: the write buffer is full, and uvicorn would wait without limit until it is taken."""
        super().pause_writing()
        if self.untaken_timer is None:
            self.untaken_timer = self.loop.call_later(deadlines.TAKE_S, self.transport.abort)

    def resume_writing(self) -> None:
        if self.untaken_timer is not None:
            self.untaken_timer.cancel()
            self.untaken_timer = None
        super().resume_writing()


class BoundedServer(Server):
    """uvicorn's server with `BoundedSocket` and `BoundedRequests`, for one application on one port."""

    def __init__(self, application: Any, *, gate: Gate, connections: Connections, host: str, port: int) -> None:
        super().__init__(bounded_config(application, gate=gate, connections=connections, host=host, port=port))

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until the process is stopped. A host of `::` serves IPv4 and IPv6."""
        super().run(sockets or [self.config.bind_socket()])


def bounded_config(application: Any, *, gate: Gate, connections: Connections, host: str, port: int) -> BoundedConfig:
    """Return uvicorn's configuration. Proxy headers are left to `client_address`, which knows the trusted proxies."""
    config = BoundedConfig(
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
        log_level=logging.WARNING,  # its messages about sockets contain the token
        timeout_keep_alive=round(deadlines.IDLE_TIMEOUT_S),
        timeout_graceful_shutdown=SERVER_DRAIN_S,
    )
    config.places = connections
    return config
