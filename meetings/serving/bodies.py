"""What a request may bring, asked before it is read: how long its body may be, and whether somebody may send one there.

Everything of ours is small but one: a recording that a program sends to be transcribed, for which it needs a token. A
body lies in a file while it arrives, in the data folder, and never in memory.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from dataclasses import dataclass
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
from meetings.accounts.api_errors import Refused
from meetings.accounts.bearer import is_well_made, token_in
from meetings.request_limits import MAX_BODY, MAX_RECORDING_BODY

log = structlog.get_logger(__name__)

RECORDINGS = b"/v1/audio/transcriptions"

IN_MEMORY = 100_000
"""Bytes of a body that needs no file."""

LINGER_S = 2.0
"""How long what still comes is thrown away behind a refusal: a connection with unread bytes is reset, and the refusal
with it."""


def limit(path: bytes, authorization: str) -> int:
    """Return the bytes that a request for `path` may bring."""
    may_be_large = plain(path) == RECORDINGS and is_well_made(token_in(authorization))
    return MAX_RECORDING_BODY if may_be_large else MAX_BODY


def plain(path: bytes) -> bytes:
    """Return it without its query, and as pages are found by it: `/v%31/` is `/v1/`."""
    return unquote_to_bytes(path.partition(b"?")[0])


class Visit(Protocol):
    """A request that was let in."""

    def leave(self) -> None:
        """It is over."""


class Gate(Protocol):
    """Who asks for tokens (`meetings.accounts.api_gate`)."""

    def guards(self, path: bytes) -> bool:
        """Whether it has to be asked about requests for `path` that bring a body."""

    async def enter(self, authorization: str) -> Visit:
        """Let one in. Raises Refused."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer instead of reading; the connection ends behind it."""

    status: HTTPStatus
    content: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def all_headers(self) -> list[tuple[bytes, bytes]]:
        headers = (*self.headers, ("Connection", "close"), ("Content-Length", str(len(self.content))))
        return [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in headers]

    @property
    def http(self) -> bytes:
        """As it is sent."""
        lines = (f"{name.decode()}: {value.decode('latin-1')}" for name, value in self.all_headers)
        head = "\r\n".join((f"HTTP/1.1 {self.status.value} {self.status.phrase}", *lines, "", ""))
        return head.encode("latin-1") + self.content


TOO_LONG = Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
NO_ROOM = Refusal(HTTPStatus.INSUFFICIENT_STORAGE)


async def ask(gate: Gate, authorization: str) -> Visit | Refusal:
    """Return what the gate says; an error of ours is answered too, and told in the log."""
    [answer] = await asyncio.gather(gate.enter(authorization), return_exceptions=True)
    if not isinstance(answer, BaseException):
        return answer
    if not isinstance(answer, Refused):
        log.error("gate_failed", error=type(answer).__qualname__, where=supervise.where(answer))
        return Refusal(HTTPStatus.INTERNAL_SERVER_ERROR)
    headers = {"Content-Type": "application/json", **answer.headers}
    return Refusal(HTTPStatus(answer.status), json.dumps(answer.content).encode(), tuple(headers.items()))


# -- Daphne, which reads a body before its application hears of the request --------------------------------------------


def folder() -> Path:
    """Where bodies lie while they arrive; their files have no names, so nothing is left behind."""
    place = Path(settings.ENVIRONMENT.data) / "bodies"
    place.mkdir(parents=True, exist_ok=True)
    return place


def body_file(length: int | None) -> IO[bytes]:
    """Return a file for so many bytes; None: that is not known."""
    is_small = length is not None and length < IN_MEMORY
    return BytesIO() if is_small else tempfile.TemporaryFile(dir=folder())


class BoundedRequest(WebRequest):
    """Hangs up on a body that is longer than it may be, as announced or as it comes, or that nobody may send."""

    received = 0
    is_refused = False
    _is_asked = False
    _held: tuple[bytes, bytes, bytes] | None = None
    """The request is whole, and it is not known yet whether it may be."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        # Twisted would parse forms too, in memory (80 MB took 960, measured), and nobody would ask for the fields.
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
        """Nothing is read until there is an answer, and nobody is told to go on (RFC 9110, 10.1.1)."""
        self._is_asked = True
        self._expects = self.requestHeaders.getRawHeaders(b"Expect")
        self.requestHeaders.removeHeader(b"Expect")
        self.channel.transport.pauseProducing()
        asyncio.ensure_future(ask(gate, self._authorization())).add_done_callback(self._hear)

    def _hear(self, asking: asyncio.Future[Visit | Refusal]) -> None:
        """The connection may be gone by now, or refused for what came behind the head."""
        answer = asking.result()
        self._is_asked = False
        if self.is_refused or self.channel is None:
            if not isinstance(answer, Refusal):
                answer.leave()
        elif isinstance(answer, Refusal):
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

    def _refuse(self, refusal: Refusal) -> None:
        """Say it, end our half, and throw away what still comes for a moment."""
        self.is_refused = True
        self.requestHeaders.removeHeader(b"Expect")
        transport = self.channel.transport
        transport.write(refusal.http)
        transport.loseWriteConnection()
        transport.resumeProducing()
        asyncio.get_running_loop().call_later(LINGER_S, transport.abortConnection)


class BodyQueue(asyncio.Queue[dict[str, Any]]):
    """The messages of one request; of its body it holds the lengths, and reads the bytes when they are asked for."""

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
        """Return the body as a file of the caller's own, instead of as messages. Raises RequestAborted."""
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
    """Django's, with bodies in the data folder, and without a second copy of what lies in a file already."""

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


# -- servers that bring bodies as they come ----------------------------------------------------------------------------


class BoundedBodies:
    """An application that is brought no body that is too long, and none that nobody may send."""

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
        elif isinstance(answer := await ask(self._gate, exchange.authorization), Refusal):
            await exchange.refuse(answer)
        else:
            try:
                await serve()
            finally:
                answer.leave()


class BoundedExchange:
    """One request and its answer. Behind a refusal the application hears that nobody is there any more."""

    def __init__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        headers = dict(scope["headers"])
        self.authorization = headers.get(b"authorization", b"").decode("latin-1")
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

    async def refuse(self, refusal: Refusal) -> None:
        """Say it, and throw away what still comes for a moment, before the connection ends."""
        if self._is_refused:
            return
        self._is_refused = True
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
