"""Daphne, with bounds on what a flood, or a client that does not read, can queue.

Daphne reads a socket as fast as it can and queues without limit for the application (400 MB from one client, measured).
Here a socket with too many waiting messages is not read until the application has taken them; TCP then slows the sender
down. Daphne also writes as fast as the application sends. Here a response waits until what was sent of it is taken, and
a socket that takes nothing is cut off.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import daphne.server
import structlog
from daphne.http_protocol import HTTPFactory
from daphne.server import Server
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from twisted.internet.protocol import Protocol
from twisted.web.http import HTTPChannel, _GenericHTTPChannelProtocol

from meetings.live.errors import SocketFault
from meetings.live.limits import PINGS_A_MINUTE, TokenBucket
from meetings.live.presence import LINK, Probes
from meetings.serving import deadlines
from meetings.serving.bodies import BodyQueue, BoundedRequest, Gate
from meetings.serving.connections import BUSY, Connections, ConnectionSlot
from meetings.serving.deadlines import RequestClock
from meetings.serving.framing import MAX_MESSAGE_BYTES, MAX_UNREAD_BYTES, PING_S, fault_text, text_frame

log = structlog.get_logger(__name__)

MAX_WAITING_MESSAGES = 64
"""Messages of one socket that may wait for the application: 4 MB at worst, 200 kB of ordinary audio frames."""

APPLICATION_CLOSE_S = 5
BODY_MESSAGE = 65_536
"""Bytes of a body in one message."""


class WatchedQueue(asyncio.Queue[dict[str, Any]]):
    """A queue that calls `on_drained` when it is at most half full after a read."""

    on_drained: Any = None

    async def get(self) -> dict[str, Any]:
        message = await super().get()
        if self.on_drained is not None and self.qsize() <= MAX_WAITING_MESSAGES // 2:
            self.on_drained()
        return message


class PacedProtocol(WebSocketProtocol):
    """Pause reading while too many messages wait; cut off clients that do not read; send a reason before closing."""

    reading_paused = False
    failByDrop = False  # noqa: N815  (Autobahn's name)
    """Autobahn: close with a code, instead of dropping the connection."""

    def makeConnection(self, transport: Any) -> None:
        self.place: ConnectionSlot | None = getattr(transport, "place", None)
        self.controls = TokenBucket(time.monotonic(), PINGS_A_MINUTE)
        self.probes = Probes()
        super().makeConnection(transport)

    def connectionLost(self, reason: Any) -> None:
        self.probes.close()
        if self.place is not None:
            self.place.leave()
        super().connectionLost(reason)

    def applicationCreateWorked(self, application_queue: WatchedQueue) -> None:
        application_queue.on_drained = self.resume_reading
        super().applicationCreateWorked(application_queue)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        super().onMessage(payload, isBinary)
        if not self.reading_paused and self.application_queue.qsize() >= MAX_WAITING_MESSAGES:
            self.reading_paused = True
            self.transport.pauseProducing()

    def onPing(self, payload: bytes) -> None:
        if self._may_control():
            super().onPing(payload)
            self._look_at_unread()

    def onPong(self, payload: bytes) -> None:
        if not self.probes.answer(payload):  # what we asked for is not counted
            self._may_control()

    async def answers(self, within_s: float) -> bool:
        """Implement `presence.Link`."""
        return self.state == self.STATE_OPEN and await self.probes.ask(self.sendPing, within_s)

    def serverSend(self, content: str | bytes, binary: bool = False) -> None:
        """Daphne's hook for every outgoing message. Autobahn would frame each one again, and raise after the close."""
        if self.state in (self.STATE_CLOSING, self.STATE_CLOSED):
            return
        if isinstance(content, str) and self.state == self.STATE_OPEN:
            self.transport.write(text_frame(content))
        else:
            super().serverSend(content, binary)
        self._look_at_unread()

    def resume_reading(self) -> None:
        if self.reading_paused:
            self.reading_paused = False
            self.transport.resumeProducing()

    def _may_control(self) -> bool:
        """Return whether one more control frame is allowed. If not, close the socket."""
        is_open: bool = self.state == self.STATE_OPEN
        if is_open and not self.controls.allows(time.monotonic()):
            self._hang_up(SocketFault("too_many_messages"))
            return False
        return is_open

    def _look_at_unread(self) -> None:
        if self.state == self.STATE_OPEN and unread_bytes(self.transport) > MAX_UNREAD_BYTES:
            log.warning("reader_cut_off", unread_bytes=unread_bytes(self.transport))
            self.dropConnection(abort=True)

    def _hang_up(self, fault: SocketFault) -> None:
        self.sendMessage(fault_text(fault).encode())
        self.sendClose(fault.close_code)

    def _max_message_size_exceeded(self, msg_size: int, max_msg_size: int, reason: str) -> None:
        """Autobahn's hook. It would close with 1009; this closes as for any frame that is too large."""
        fault = SocketFault("frame_too_large")
        self.sendMessage(fault_text(fault).encode())
        self._fail_connection(fault.close_code, reason)


def unread_bytes(transport: Any) -> int:
    """Return the bytes that were written to a Twisted transport and not taken by the kernel."""
    return len(transport.dataBuffer) - transport.offset + transport._tempDataLen


class BoundedChannel(HTTPChannel):
    """One connection, with deadlines for requests to arrive and responses to be taken."""

    transport: Any

    def __init__(self, place: ConnectionSlot) -> None:
        super().__init__()
        self.place = place
        self.writable = asyncio.Event()
        self.writable.set()

    def connectionMade(self) -> None:
        self.clock = RequestClock(self._abort)
        self.transport.place = self.place  # kept by a WebSocket that this connection is upgraded to
        super().connectionMade()
        self.clock.await_request()

    def dataReceived(self, data: bytes) -> None:
        self.clock.receive(len(data))
        super().dataReceived(data)

    def allHeadersReceived(self) -> None:
        self.clock.await_body()
        super().allHeadersReceived()

    def allContentReceived(self) -> None:
        self.clock.stop()
        super().allContentReceived()

    def requestDone(self, request: Any) -> None:
        self.clock.await_request()
        super().requestDone(request)

    def connectionLost(self, reason: Any = None) -> None:
        self.clock.stop()
        self.writable.set()
        self.place.leave()
        super().connectionLost(reason)

    def pauseProducing(self) -> None:
        """Twisted's hook: the write buffer is full."""
        self.writable.clear()
        super().pauseProducing()

    def resumeProducing(self) -> None:
        self.writable.set()
        super().resumeProducing()

    async def taken(self) -> None:
        """Wait until what was written is taken. Cut off a client that takes nothing for TAKE_S."""
        try:
            async with asyncio.timeout(deadlines.TAKE_S):
                await self.writable.wait()
        except TimeoutError:
            self._abort()

    def _abort(self) -> None:
        self.transport.abortConnection()


class Busy(Protocol):
    """Refuse a connection because the limit is reached."""

    transport: Any

    def connectionMade(self) -> None:
        self.transport.write(BUSY)
        self.transport.loseConnection()


class BoundedFactory(HTTPFactory):
    """Create connections whose number and requests are bounded."""

    def buildProtocol(self, address: Any) -> Any:
        place = self.server.places.enter(getattr(address, "host", ""))
        if place is None:
            return Busy()
        self.protocol = lambda: _GenericHTTPChannelProtocol(BoundedChannel(place))
        protocol = super().buildProtocol(address)
        protocol.requestFactory = protocol._channel.requestFactory = BoundedRequest
        return protocol


class PacedServer(Server):
    """Daphne's server, with `PacedProtocol` for sockets, and bounds for connections and request bodies."""

    def __init__(self, application: Any, *, gate: Gate, connections: Connections, **options: Any) -> None:
        super().__init__(application, **options)
        self.gate = gate
        self.places = connections

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        """Create the application, with a queue that reports when it is drained or keeps a body in its file."""
        if protocol not in self.connections:
            return None
        queue = WatchedQueue() if isinstance(protocol, PacedProtocol) else BodyQueue(protocol.content)
        if isinstance(protocol, PacedProtocol):
            scope["extensions"] = {LINK: protocol}
        scope.setdefault("asgi", {"version": "3.0"})
        application = self.application(scope=scope, receive=queue.get, send=self._reply_to(protocol))
        self.connections[protocol]["application_instance"] = asyncio.ensure_future(application)
        return queue

    def _reply_to(self, protocol: Any) -> Any:
        async def send(message: dict[str, Any]) -> None:
            await self.handle_reply(protocol, message)
            # A request whose client is gone has no channel. WebSocket messages have a bound of their own.
            channel = getattr(protocol, "channel", None)
            if message["type"] == "http.response.body" and channel is not None:
                await channel.taken()

        return send


def make_server(application: Any, *, gate: Gate, connections: Connections, host: str, port: int) -> PacedServer:
    """Return a server of `application` with our limits. Its `run` blocks until the process is stopped."""
    WebSocketFactory.protocol = PacedProtocol
    daphne.server.HTTPFactory = BoundedFactory  # Daphne has no option for it
    return PacedServer(
        application,
        gate=gate,
        connections=connections,
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
