"""How large a request's body may be, asked before it is read: Daphne keeps all of it, Django what other servers bring.

Everything of ours is small but one: a recording that a program sends to be transcribed, for which it needs a token.
"""

from __future__ import annotations

from typing import Any

from daphne.http_protocol import HTTPFactory, WebRequest

from meetings.programs.bearer import is_well_made, token_in

MAX_BODY = 2 << 20
"""Bytes of a form, or of a chunk of an upload with its headers."""

MAX_RECORDING_BODY = 100 << 20
"""Bytes of a recording for the transcriptions endpoint, which is held in memory; larger ones are uploaded in chunks."""

RECORDINGS = b"/v1/audio/transcriptions"


def limit(path: bytes, authorization: str) -> int:
    """Bytes that a request for `path` may bring. The token is looked up later: here it must only be one of ours."""
    may_be_large = path.partition(b"?")[0] == RECORDINGS and is_well_made(token_in(authorization))
    return MAX_RECORDING_BODY if may_be_large else MAX_BODY


REFUSAL = b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class BoundedRequest(WebRequest):
    """Hangs up on a body that is longer than it may be, as announced or as it comes."""

    received = 0
    is_refused = False

    def gotLength(self, length: int | None) -> None:
        super().gotLength(length)
        if (length or 0) > self._limit():
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        self.received += len(data)
        if not self.is_refused and self.received > self._limit():
            self._refuse()
        if not self.is_refused:
            super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        if not self.is_refused:
            super().requestReceived(command, path, version)

    def _limit(self) -> int:
        given = self.requestHeaders.getRawHeaders(b"Authorization") or [b""]
        return limit(getattr(self.channel, "_path", b""), given[0].decode("latin-1"))

    def _refuse(self) -> None:
        self.is_refused = True
        self.channel.transport.write(REFUSAL)
        self.channel.loseConnection()


class BoundedFactory(HTTPFactory):
    """Makes connections whose requests are bounded."""

    def buildProtocol(self, address: Any) -> Any:
        protocol = super().buildProtocol(address)
        protocol.requestFactory = BoundedRequest
        if hasattr(protocol, "_channel"):
            protocol._channel.requestFactory = BoundedRequest
        return protocol


class BoundedBodies:
    """An application that is brought no body that is too long, for servers that bring bodies as they come."""

    def __init__(self, application: Any) -> None:
        self._application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        exchange = BoundedExchange(scope, receive, send)
        if exchange.announced > exchange.left:
            await exchange.refuse()
        else:
            await self._application(scope, exchange.receive, exchange.send)


class BoundedExchange:
    """One request and its answer. Behind a refusal the application hears that nobody is there any more."""

    def __init__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        headers = dict(scope["headers"])
        self.left = limit(scope["raw_path"], headers.get(b"authorization", b"").decode("latin-1"))
        self.announced = int(headers.get(b"content-length", b"0"))
        self._receive = receive
        self._send = send
        self._is_refused = False

    async def receive(self) -> dict[str, Any]:
        message: dict[str, Any] = await self._receive()
        self.left -= len(message.get("body", b""))
        if self.left >= 0:
            return message
        await self.refuse()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        if not self._is_refused:
            await self._send(message)

    async def refuse(self) -> None:
        if not self._is_refused:
            self._is_refused = True
            headers = [(b"connection", b"close"), (b"content-length", b"0")]
            await self._send({"type": "http.response.start", "status": 413, "headers": headers})
            await self._send({"type": "http.response.body", "body": b""})
