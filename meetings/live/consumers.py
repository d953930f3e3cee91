"""Base class of both WebSocket consumers, and the viewer's consumer.

A consumer checks a message, makes one call, replies, and never waits for a model. Errors are sent after the socket is
accepted, since before that a browser sees neither code nor text. On any bad message or outage a consumer sends an
error, closes with a code, and releases all that it held.
"""

from __future__ import annotations

import json
import time
from abc import abstractmethod
from collections.abc import Awaitable
from typing import Any
from urllib.parse import parse_qs

import structlog
from channels.consumer import get_handler_name
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.utils.translation import get_supported_language_variant, override

from meetings import metrics, supervise
from meetings.accounts.link_tokens import Role
from meetings.accounts.page_tokens import admits
from meetings.broker import client
from meetings.broker.audio_log import AudioLog, LogState
from meetings.broker.notices import Notice, notice
from meetings.languages import LANGUAGES, language_code
from meetings.live import wire
from meetings.live.admission import Admission
from meetings.live.errors import Code, SocketFault
from meetings.live.fanout import Broadcaster, FeedNotReady
from meetings.live.host_watch import is_host_away
from meetings.live.limits import CONFIRMATIONS_A_MINUTE, LANGUAGES_A_MINUTE, TokenBucket
from meetings.live.outages import current_notice, stored_meeting
from meetings.live.viewers import Viewer
from meetings.models import Meeting
from meetings.offers import meeting_languages, why_unreadable
from meetings.queries import read_rows
from meetings.store import speakers

log = structlog.get_logger(__name__)

MAX_TEXT_BYTES = 4_096

MAX_NUMBER = 2**53
"""Bound of numbers in messages: larger integers are not exact in JavaScript and may overflow in the database."""

broadcaster = Broadcaster(client.connect)


class MeetingConsumer(AsyncWebsocketConsumer):
    """The common part of both sockets: admission, control messages by name, errors as sentences."""

    role: Role
    outage_fault: Code
    """The error sent when the database or the broker does not answer."""
    meeting: Meeting
    viewer: Viewer | None = None
    is_closed = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Run the consumer and call `leave` at its end. Channels does not do that after an error or at shutdown."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self.leave()

    async def dispatch(self, message: Any) -> None:
        """Dispatch directly. Channels would check database connections first, in a thread shared by all sockets."""
        handler = getattr(self, get_handler_name(message))
        await handler(message)

    async def websocket_disconnect(self, message: Any) -> None:
        raise StopConsumer

    @property
    def broadcaster(self) -> Broadcaster:
        """The broadcaster of this process."""
        return broadcaster

    async def connect(self) -> None:
        now = time.monotonic()
        self.budget = TokenBucket(now)
        self.confirmations = TokenBucket(now, CONFIRMATIONS_A_MINUTE)
        self.interface = self._interface()
        await self.accept()
        await self._guarded(self._enter())

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if not self.is_closed:
            await self._guarded(self._take(text_data, bytes_data))

    async def leave(self) -> None:
        """Release what the socket held. Called at least once, however the socket ends."""
        if self.viewer is not None:
            self.broadcaster.leave(self.viewer)

    @abstractmethod
    async def enter(self) -> None:
        """Send the first messages."""

    async def take_bytes(self, data: bytes) -> None:
        raise SocketFault("malformed", "Only text is expected on this socket.")

    async def on_seen(self, message: dict[str, Any]) -> None:
        """Confirm stored messages. Confirmations that confirm nothing have a rate limit of their own."""
        seq = int(number_in(message, "seq"))
        if self.viewer is None or not await self.viewer.confirm(seq):
            self.confirmations.spend(time.monotonic())

    async def watch(self, *, after: int) -> None:
        """Send `hello`, then stored changes after `after`, then live messages."""
        state = await self.log_state()
        self.meeting = meeting = await read_rows(stored_meeting, self.meeting.pk) or self.meeting
        told = await self._notice(meeting, state)
        languages = meeting_languages(settings.ENVIRONMENT, meeting)
        await self.tell(
            wire.hello(
                meeting,
                told["state"],
                languages=languages,
                speakers=await read_rows(speakers.present_speakers, meeting),
                summary_due=told["state"] == "ended" and state.phase == "summarizing",
            )
        )
        if told["state"] != meeting.state:
            await self.tell(told)
        language = await self.readable(self.query("lang"))
        self.viewer = Viewer(
            meeting.pk,
            self.send_text,
            after=after,
            language=language or "",
            interface=self.interface,
            state=told["state"],
            spoken=meeting.language,
            admission=Admission(self.role, self.query("token"), self.dismiss),
        )
        await self.broadcaster.join(self.viewer)

    async def _notice(self, meeting: Meeting, state: LogState) -> Notice:
        """Return the meeting's present state as a notice. An absent host is told to readers, unless captions fail."""
        told = current_notice(meeting, state)
        audio = AudioLog(self.broadcaster.broker)
        if self.role == "join" and told["state"] != "degraded" and await is_host_away(audio, meeting.pk):
            return wire.in_interface(notice("host_away"), self.interface)
        return told

    async def readable(self, language: str) -> str | None:
        """Return the language if captions can be read in it here; otherwise send an error and return None."""
        language = language_code(language) or language
        if not language or language in meeting_languages(settings.ENVIRONMENT, self.meeting):
            return language
        sentence = (
            why_unreadable(settings.ENVIRONMENT, self.meeting.language, language) if language in LANGUAGES else ""
        )
        await self._refuse(SocketFault("language_unavailable", sentence))
        return None

    async def tell(self, message: wire.Message) -> None:
        await self.send(text_data=wire.encode(message))

    async def close(self, code: Any = None, reason: str | None = None) -> None:
        """Close the socket. Later messages are ignored."""
        if not self.is_closed:
            self.is_closed = True
            await super().close(code, reason)

    def query(self, name: str) -> str:
        values = parse_qs(self.scope["query_string"].decode("latin-1")).get(name)
        return values[0] if values else ""

    def after(self) -> int:
        value = self.query("after") or "0"
        if not (value.isascii() and value.isdigit()) or len(value) > len(str(MAX_NUMBER)) or int(value) >= MAX_NUMBER:
            raise SocketFault("malformed", "after is a whole number.")
        return int(value)

    async def dismiss(self, code: Code) -> None:
        """Send the reason, and close the socket."""
        with override(self.interface):
            await self._refuse(SocketFault(code))

    async def send_text(self, text: str) -> None:
        """Send for the feed. An error affects this socket only, not the feed's other viewers."""
        if not self.is_closed:
            await self._guarded(self.send(text_data=text))

    async def log_state(self) -> LogState:
        return await AudioLog(self.broadcaster.broker).state(self.meeting.pk)

    async def _enter(self) -> None:
        meeting_id: str = self.scope["url_route"]["kwargs"]["meeting_id"]
        meeting = await read_rows(stored_meeting, meeting_id) if _can_be_stored(meeting_id) else None
        if meeting is None:
            raise SocketFault("no_such_meeting")
        if not await read_rows(admits, meeting, self.role, self.query("token")):
            raise SocketFault("bad_token")
        self.meeting = meeting
        await self.enter()

    async def count_message(self) -> None:
        """Count one control message. Raises SocketFault `too_many_messages`."""
        self.budget.spend(time.monotonic())

    async def _take(self, text: str | None, data: bytes | None) -> None:
        if data is not None:
            await self.take_bytes(data)
            return
        message = _parse(text or "")
        if message["type"] != "seen":  # viewers confirm as fast as they receive captions
            await self.count_message()
        handler = getattr(self, f"on_{message['type']}", None)
        if handler is None:
            raise SocketFault("malformed", "Unknown message type.")
        await handler(message)

    async def _guarded(self, work: Awaitable[object]) -> None:
        """Await `work`. Any error is sent as a message with a close code, and affects this socket only."""
        with override(self.interface):
            error = (await supervise.contained(lambda: work)).error
            if error is not None:
                await self._refuse(error if isinstance(error, SocketFault) else self._fault_of(error))

    def _fault_of(self, error: Exception) -> SocketFault:
        """Return the fault for an error: an outage, or an internal error."""
        outage = supervise.outage_of(error)
        if outage is not None or isinstance(error, FeedNotReady):
            log.warning(f"{outage or 'feed'}_away", step="socket", error=type(error).__name__)
            return SocketFault(self.outage_fault)
        what = supervise.class_of(error)
        log.error("socket_failed", role=self.role, error=what, where=supervise.where(error))
        return SocketFault("internal")

    async def _refuse(self, fault: SocketFault) -> None:
        if self.is_closed:
            return
        metrics.errors.labels(fault.code).inc()
        self.is_closed = fault.close_code is not None  # set first, so that a failing send is not retried
        await self.tell({"type": "error", "code": fault.code, "message": str(fault)})
        if fault.close_code is not None:
            await super().close(fault.close_code)

    def _interface(self) -> str:
        """Return the language of the page that opened the socket."""
        try:
            return get_supported_language_variant(self.query("ui"))
        except (LookupError, ValueError):
            return wire.INTERFACE


class ViewerConsumer(MeetingConsumer):
    """The viewer's socket: `/ws/captions/<meeting>/?token=&lang=&after=&ui=`."""

    role: Role = "join"
    outage_fault: Code = "captions_unavailable"

    async def connect(self) -> None:
        self.switches = TokenBucket(time.monotonic(), LANGUAGES_A_MINUTE)
        await super().connect()

    async def enter(self) -> None:
        await self.watch(after=self.after())

    async def on_language(self, message: dict[str, Any]) -> None:
        """Send all captions again in another language; an empty one means untranslated."""
        language = await self.readable(str(message.get("language") or ""))
        if self.viewer is not None and language is not None and language != self.viewer.language:
            self.switches.spend(time.monotonic())
            await self.broadcaster.change_language(self.viewer, language)


def _parse(text: str) -> dict[str, Any]:
    if len(text) > MAX_TEXT_BYTES:
        raise SocketFault("malformed", "The message is too long.")
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SocketFault("malformed", "It is not JSON.") from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise SocketFault("malformed", "It needs a type.")
    return message


def number_in(message: dict[str, Any], name: str) -> float:
    value = message.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < MAX_NUMBER:
        raise SocketFault("malformed", f"{name} is a number, zero or more.")
    return value


def text_in(message: dict[str, Any], name: str) -> str:
    value = message.get(name)
    if not isinstance(value, str) or not _can_be_stored(value):
        raise SocketFault("malformed", f"{name} is a text.")
    return value


def _can_be_stored(text: str) -> bool:
    """Return whether databases can store the text: JSON allows lone surrogates and NUL, databases do not."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False
