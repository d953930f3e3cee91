"""Sockets: what both kinds share, and the viewer's. A consumer checks, makes one call, replies, and waits for no model.

Faults are told after the socket is accepted: before that a browser sees no code and no sentence.
"""

from __future__ import annotations

import json
import time
from abc import abstractmethod
from typing import Any, cast
from urllib.parse import parse_qs

import structlog
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.utils.translation import get_supported_language_variant, override
from redis.exceptions import RedisError

from inference.audio import SAMPLE_RATE
from meetings import broker
from meetings.accounts.admission import Admission
from meetings.accounts.passes import still_admits
from meetings.accounts.tokens import Role
from meetings.audio.audiolog import AudioLog, LogState
from meetings.languages import LANGUAGES
from meetings.models import Meeting, State
from meetings.offers import meeting_languages, refusal
from meetings.operators import metrics
from meetings.rows import speakers
from meetings.sockets import events
from meetings.sockets.broadcast import Broadcaster, Viewer
from meetings.sockets.crowds import MessageBudget
from meetings.sockets.errors import Code, SocketFault

log = structlog.get_logger(__name__)

MAX_TEXT_BYTES = 4_096

broadcaster = Broadcaster(broker.connect)


@database_sync_to_async
def find_meeting(meeting_id: str) -> Meeting | None:
    return Meeting.objects.filter(pk=meeting_id).first()


present_speakers = database_sync_to_async(speakers.present_speakers)


class MeetingConsumer(AsyncWebsocketConsumer):
    """What both sockets share: who may come in, control messages by name, faults as sentences."""

    role: Role
    meeting: Meeting
    viewer: Viewer | None = None

    @property
    def broadcaster(self) -> Broadcaster:
        """The process's own."""
        return broadcaster

    async def connect(self) -> None:
        self.budget = MessageBudget(time.monotonic())
        await self.accept()
        await self._guarded(self._enter())

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self._guarded(self._take(text_data, bytes_data))

    async def disconnect(self, code: int) -> None:
        if self.viewer is not None:
            self.broadcaster.leave(self.viewer)

    @abstractmethod
    async def enter(self) -> None:
        """Sends the first messages."""

    async def take_bytes(self, data: bytes) -> None:
        raise SocketFault("malformed", "Only text is expected on this socket.")

    async def on_seen(self, message: dict[str, Any]) -> None:
        if self.viewer is not None:
            await self.viewer.confirm(int(number_in(message, "seq")))

    async def watch(self, *, after: int) -> None:
        """Says hello, then sends what is stored and whatever comes."""
        state = await self.log_state()
        self.meeting = meeting = await find_meeting(self.meeting.pk) or self.meeting
        phase = state.phase if meeting.state == State.LIVE else ""
        languages = meeting_languages(settings.ENVIRONMENT, meeting)
        await self.tell(
            events.hello(meeting, phase or meeting.state, languages=languages, speakers=await present_speakers(meeting))
        )
        if state.phase and meeting.state == State.LIVE:
            behind_s = max(0, state.next_sample - state.captioned) / SAMPLE_RATE
            phase_now = cast(events.NoticeState, state.phase)
            await self.tell(events.phase_notice(phase_now, until=state.until, behind_s=behind_s))
        language = await self.readable(self.query("lang"))
        self.viewer = Viewer(
            meeting.pk,
            self.send_text,
            after=after,
            language=language or "",
            interface=self.interface,
            admission=Admission(self.role, self.query("token"), self.dismiss),
        )
        await self.broadcaster.join(self.viewer)

    async def readable(self, language: str) -> str | None:
        """The language, if captions here can be read in it; else the reader is told why not, and None is returned."""
        if not language or language in meeting_languages(settings.ENVIRONMENT, self.meeting):
            return language
        sentence = refusal(settings.ENVIRONMENT, self.meeting.language, language) if language in LANGUAGES else ""
        await self._refuse(SocketFault("language_unavailable", sentence))
        return None

    async def tell(self, message: events.Message) -> None:
        await self.send(text_data=events.encode(message))

    def query(self, name: str) -> str:
        values = parse_qs(self.scope["query_string"].decode("latin-1")).get(name)
        return values[0] if values else ""

    @property
    def interface(self) -> str:
        """The language of the page that opened the socket."""
        try:
            return get_supported_language_variant(self.query("ui"))
        except LookupError:
            return events.INTERFACE

    def after(self) -> int:
        value = self.query("after") or "0"
        if not value.isdecimal():
            raise SocketFault("malformed", "after is a whole number.")
        return int(value)

    async def dismiss(self, code: Code) -> None:
        """Says why the socket may not stay, and closes it."""
        with override(self.interface):
            await self._refuse(SocketFault(code))

    async def _enter(self) -> None:
        meeting = await find_meeting(self.scope["url_route"]["kwargs"]["meeting_id"])
        if meeting is None:
            raise SocketFault("no_such_meeting")
        if not await still_admits(meeting, self.role, self.query("token")):
            raise SocketFault("bad_token")
        self.meeting = meeting
        await self.enter()

    async def _take(self, text: str | None, data: bytes | None) -> None:
        if data is not None:
            await self.take_bytes(data)
            return
        message = _parse(text or "")
        if message["type"] != "seen":  # readers confirm as fast as they are sent captions
            self.budget.spend(time.monotonic())
        handler = getattr(self, f"on_{message['type']}", None)
        if handler is None:
            raise SocketFault("malformed", "Unknown message type.")
        await handler(message)

    async def _guarded(self, work: Any) -> None:
        """Runs one piece of work; a fault becomes a sentence and a close code, and nothing else suffers."""
        with override(self.interface):
            try:
                await work
            except SocketFault as fault:
                await self._refuse(fault)
            except (RedisError, OSError) as error:
                log.warning("broker_unreachable", error=str(error))
                await self._refuse(SocketFault("storage_unavailable"))

    async def _refuse(self, fault: SocketFault) -> None:
        metrics.errors.labels(fault.code).inc()
        await self.tell({"type": "error", "code": fault.code, "message": str(fault)})
        if fault.close_code is not None:
            await self.close(fault.close_code)

    async def send_text(self, text: str) -> None:
        await self.send(text_data=text)

    async def log_state(self) -> LogState:
        return await AudioLog(self.broadcaster.broker).state(self.meeting.pk)


class ViewerConsumer(MeetingConsumer):
    """Reads captions: `/ws/captions/<meeting>/?token=&lang=&after=&ui=`."""

    role: Role = "join"

    async def enter(self) -> None:
        await self.watch(after=self.after())

    async def on_language(self, message: dict[str, Any]) -> None:
        """Everything again in another language; empty: as it was said."""
        language = await self.readable(str(message.get("language") or ""))
        if self.viewer is not None and language is not None:
            await self.broadcaster.change_language(self.viewer, language)


def _parse(text: str) -> dict[str, Any]:
    if len(text) > MAX_TEXT_BYTES:
        raise SocketFault("malformed", "The message is too long.")
    try:
        message = json.loads(text)
    except ValueError as error:
        raise SocketFault("malformed", "It is not JSON.") from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise SocketFault("malformed", "It needs a type.")
    return message


def number_in(message: dict[str, Any], name: str) -> float:
    value = message.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 2**53:
        raise SocketFault("malformed", f"{name} is a number, zero or more.")
    return value
