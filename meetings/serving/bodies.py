"""Check what a request may bring before it is read: its body's length, and whether its sender may send one.

All requests are small except recordings sent for transcription, which need a token. A larger body is kept
in a file in the data folder while it arrives, not in memory.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Protocol, cast
from urllib.parse import unquote_to_bytes

import structlog
from daphne.http_protocol import WebRequest
from django.conf import settings
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler

from meetings import supervise
from meetings.accounts import cors
from meetings.accounts.api_errors import Refused
from meetings.accounts.bearer import is_well_made, token_in
from meetings.base_path import without_base
from meetings.request_limits import MAX_BODY, MAX_RECORDING_BODY

log = structlog.get_logger(__name__)

RECORDINGS = (b"/v1/audio/transcriptions", b"/v1/audio/translations")

IN_MEMORY = 100_000
"""Bytes below which a body needs no file."""

LINGER_S = 2.0
"""How long data after a refusal is read and discarded. Closing with unread bytes would reset the connection, and the
refusal would be lost."""


def limit(path: bytes, authorization: str) -> int:
    """Return the maximum body length in bytes of a request for `path`."""
    may_be_large = plain(path) in RECORDINGS and is_well_made(token_in(authorization))
    return MAX_RECORDING_BODY if may_be_large else MAX_BODY


def plain(path: bytes) -> bytes:
    """Return the path without base path and query, decoded as for routing: `/v%31/` is `/v1/`."""
    decoded = unquote_to_bytes(path.partition(b"?")[0]).decode("latin-1")
    return without_base(decoded, settings.ENVIRONMENT.base_path).encode("latin-1")


class AdmittedRequest(Protocol):
    """A request that was admitted."""

    def leave(self) -> None:
        """End the visit."""


class Gate(Protocol):
    """Checks tokens (`meetings.accounts.api_gate`)."""

    def guards(self, path: bytes) -> bool:
        """Return whether requests for `path` with a body must be checked."""

    async def enter(self, authorization: str) -> AdmittedRequest:
        """Admit a request. Raises Refused."""


@dataclass(frozen=True, slots=True)
class BodyRefusal:
    """A response sent instead of reading the body; the connection closes after it."""

    status: HTTPStatus
    content: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    def to_page(self, path: bytes, origin: bytes) -> BodyRefusal:
        """Return the refusal as a page of `origin` may read it."""
        headers = cors.response_headers(plain(path).decode("latin-1"), origin.decode("latin-1"))
        return replace(self, headers=(*self.headers, *headers.items()))

    @property
    def all_headers(self) -> list[tuple[bytes, bytes]]:
        headers = (*self.headers, ("Connection", "close"), ("Content-Length", str(len(self.content))))
        return [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in headers]

    @property
    def http(self) -> bytes:
        """The raw HTTP response."""
        lines = (f"{name.decode()}: {value.decode('latin-1')}" for name, value in self.all_headers)
        head = "\r\n".join((f"HTTP/1.1 {self.status.value} {self.status.phrase}", *lines, "", ""))
        return head.encode("latin-1") + self.content


TOO_LONG = BodyRefusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
NO_ROOM = BodyRefusal(HTTPStatus.INSUFFICIENT_STORAGE)


async def ask(gate: Gate, authorization: str) -> AdmittedRequest | BodyRefusal:
    """Return the gate's answer. Unexpected errors are logged, and answered too."""
    [answer] = await asyncio.gather(gate.enter(authorization), return_exceptions=True)
    if not isinstance(answer, BaseException):
        return answer
    if not isinstance(answer, Refused):
        log.error("gate_failed", error=type(answer).__qualname__, where=supervise.where(answer))
        return BodyRefusal(HTTPStatus.INTERNAL_SERVER_ERROR)
    headers = {"Content-Type": "application/json", **answer.headers}
    return BodyRefusal(HTTPStatus(answer.status), json.dumps(answer.content).encode(), tuple(headers.items()))


# -- Daphne, which reads a body before it calls the application --------------------------------------------------------


def folder() -> Path:
    """Return the folder for arriving bodies. Their files have no names, so nothing is left behind."""
    place = Path(settings.ENVIRONMENT.data) / "bodies"
    place.mkdir(parents=True, exist_ok=True)
    return place


def body_file(length: int | None) -> IO[bytes]:
    """Return a file for `length` bytes; None means unknown."""
    is_small = length is not None and length < IN_MEMORY
    return BytesIO() if is_small else tempfile.TemporaryFile(dir=folder())


class BoundedRequest(WebRequest):
    """Refuse a body that is too long, as announced or as received, or whose sender is not admitted."""

    received = 0
    is_refused = False
    _is_asked = False
    _held: tuple[bytes, bytes, bytes] | None = None
    """The complete request, while it waits for the gate."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        # Twisted would parse forms too, in memory (80 MB took 960, measured), and the fields are never used.
        super().__init__(*arguments, parsePOSTFormSubmission=False, **options)

    def gotLength(self, length: int | None) -> None:
        if (length or 0) > self._limit():
            self._refuse(TOO_LONG)
            return
        self.content = body_file(length)
        gate = self.server.gate
        if length != 0 and gate.guards(plain(getattr(self.channel, "_path", b""))):
            self._begin_to_ask(gate)

    def handleContentChunk(self, data: bytes) -> None:
        self.received += len(data)
        if not self.is_refused and self.received > self._limit():
            self._refuse(TOO_LONG)
        if not self.is_refused:
            try:
                super().handleContentChunk(data)
            except OSError as error:
                log.error("body_not_kept", error=str(error))
                self._refuse(NO_ROOM)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        if self._is_asked:
            self._held = (command, path, version)
        elif not self.is_refused:
            super().requestReceived(command, path, version)

    def _begin_to_ask(self, gate: Gate) -> None:
        """Ask the gate. Until it answers, read nothing and send no `100 Continue` (RFC 9110, 10.1.1)."""
        self._is_asked = True
        self._expects = self.requestHeaders.getRawHeaders(b"Expect")
        self.requestHeaders.removeHeader(b"Expect")
        self.channel.transport.pauseProducing()
        asyncio.ensure_future(ask(gate, self._authorization())).add_done_callback(self._hear)

    def _hear(self, asking: asyncio.Future[AdmittedRequest | BodyRefusal]) -> None:
        """Handle the gate's answer. The connection may be gone by now, or refused for its body."""
        answer = asking.result()
        self._is_asked = False
        if self.is_refused or self.channel is None:
            if not isinstance(answer, BodyRefusal):
                answer.leave()
        elif isinstance(answer, BodyRefusal):
            self._refuse(answer)
        else:
            self.notifyFinish().addBoth(lambda _: answer.leave())
            self._go_on()

    def _go_on(self) -> None:
        if self._expects:
            self.channel._send100Continue()
        self.channel.transport.resumeProducing()
        held, self._held = self._held, None
        if held is not None:
            super().requestReceived(*held)

    def _limit(self) -> int:
        return limit(getattr(self.channel, "_path", b""), self._authorization())

    def _authorization(self) -> str:
        given: list[bytes] = self.requestHeaders.getRawHeaders(b"Authorization") or [b""]
        return given[0].decode("latin-1")

    def _refuse(self, refusal: BodyRefusal) -> None:
        """Send the refusal, end our half, and discard further data for a moment."""
        self.is_refused = True
        self.requestHeaders.removeHeader(b"Expect")
        [origin, *_] = self.requestHeaders.getRawHeaders(b"Origin") or [b""]
        transport = self.channel.transport
        transport.write(refusal.to_page(getattr(self.channel, "_path", b""), origin).http)
        transport.loseWriteConnection()
        transport.resumeProducing()
        asyncio.get_running_loop().call_later(LINGER_S, transport.abortConnection)


class BodyQueue(asyncio.Queue[dict[str, Any]]):
    """The messages of one request. Of its body it holds only lengths; the bytes are read from the file on demand."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file = file
        self._position = 0
        self._is_taken = False

    def put_nowait(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.request":
            message = {**message, "body": len(message["body"])}
        super().put_nowait(message)

    async def get(self) -> dict[str, Any]:
        while (message := await super().get())["type"] == "http.request":
            if self._file.closed:
                return {"type": "http.disconnect"}
            if not self._is_taken:
                return {**message, "body": self._read(message["body"])}
        return message

    def take(self) -> IO[bytes]:
        """Return the body as a file owned by the caller, instead of as messages. Raises RequestAborted."""
        if self._file.closed:
            raise RequestAborted
        self._is_taken = True
        if isinstance(self._file, BytesIO):
            return BytesIO(self._file.getvalue())
        own = os.fdopen(os.dup(self._file.fileno()), "rb")
        own.seek(0)
        return own

    def _read(self, length: int) -> bytes:
        self._file.seek(self._position)
        self._position += length
        return self._file.read(length)


class PagesHandler(ASGIHandler):
    """Django's handler, with bodies in the data folder, and no second copy of a body that is in a file already."""

    async def read_body(self, receive: Any) -> IO[bytes]:
        queue = getattr(receive, "__self__", None)
        if isinstance(queue, BodyQueue):
            return queue.take()
        spool = tempfile.SpooledTemporaryFile(IN_MEMORY, dir=str(folder()))  # noqa: SIM115 - Django closes it
        more_body = True
        while more_body:
            message = await receive()
            if message["type"] == "http.disconnect":
                spool.close()
                raise RequestAborted
            spool.write(message.get("body", b""))
            more_body = message.get("more_body", False)
        spool.seek(0)
        return cast("IO[bytes]", spool)


# -- servers that stream bodies to the application ---------------------------------------------------------------------


class BoundedBodies:
    """ASGI middleware that refuses bodies that are too long, or whose sender is not admitted."""

    def __init__(self, application: Any, gate: Gate) -> None:
        self._application = application
        self._gate = gate

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        exchange = BoundedExchange(scope, receive, send)
        serve = partial(self._application, scope, exchange.receive, exchange.send)
        if exchange.announced > exchange.left:
            await exchange.refuse(TOO_LONG)
        elif not (exchange.brings_body and self._gate.guards(plain(scope["raw_path"]))):
            await serve()
        elif isinstance(answer := await ask(self._gate, exchange.authorization), BodyRefusal):
            await exchange.refuse(answer)
        else:
            try:
                await serve()
            finally:
                answer.leave()


class BoundedExchange:
    """One request and its response. After a refusal the application receives a disconnect."""

    def __init__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        headers = dict(scope["headers"])
        self.authorization = headers.get(b"authorization", b"").decode("latin-1")
        self._path, self._origin = scope["raw_path"], headers.get(b"origin", b"")
        self.left = limit(scope["raw_path"], self.authorization)
        self.announced = int(headers.get(b"content-length", b"0"))
        self.brings_body = self.announced > 0 or b"transfer-encoding" in headers
        self._receive = receive
        self._send = send
        self._is_refused = False

    async def receive(self) -> dict[str, Any]:
        message: dict[str, Any] = await self._receive()
        self.left -= len(message.get("body", b""))
        if self.left >= 0:
            return message
        await self.refuse(TOO_LONG)
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        if not self._is_refused:
            await self._send(message)

    async def refuse(self, refusal: BodyRefusal) -> None:
        """Send the refusal, and discard further data for a moment before the connection closes."""
        if self._is_refused:
            return
        self._is_refused = True
        refusal = refusal.to_page(self._path, self._origin)
        await self._send(
            {"type": "http.response.start", "status": refusal.status.value, "headers": refusal.all_headers}
        )
        await self._send({"type": "http.response.body", "body": refusal.content, "more_body": True})
        await self._drain()
        await self._send({"type": "http.response.body", "body": b""})

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(LINGER_S):
                while (message := await self._receive())["type"] == "http.request" and message["more_body"]:
                    pass
        except TimeoutError:
            return
