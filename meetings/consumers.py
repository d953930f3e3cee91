"""The two sockets. A consumer checks, makes one call, replies; it never waits for a model.

Faults are told after the socket is accepted: before that a browser sees no code and no sentence.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid
from abc import abstractmethod
from typing import Any
from urllib.parse import parse_qs

import structlog
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from redis.exceptions import RedisError

from inference.audio import SAMPLE_RATE
from meetings import broker, events, metrics, transcript
from meetings.audiolog import AudioLog, LogState, Outcome
from meetings.broadcast import Broadcaster, Viewer
from meetings.errors import SocketFault
from meetings.frames import FRAME_MS, Allowance, parse_frame
from meetings.languages import AUTO, LANGUAGES
from meetings.models import Meeting, State
from meetings.tokens import Role, is_meeting_token

log = structlog.get_logger(__name__)

LEDGER_S = 1.0
MAX_TEXT_BYTES = 4_096
NORMAL_CLOSURE = 1000

broadcaster = Broadcaster(broker.connect)


@database_sync_to_async
def find_meeting(meeting_id: str) -> Meeting | None:
    return Meeting.objects.filter(pk=meeting_id).first()


add_missing = database_sync_to_async(transcript.add_missing)


class MeetingConsumer(AsyncWebsocketConsumer):
    """What both sockets share: who may come in, control messages by name, faults as sentences."""

    role: Role
    meeting: Meeting
    viewer: Viewer | None = None

    async def connect(self) -> None:
        await self.accept()
        await self._guarded(self._enter())

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self._guarded(self._take(text_data, bytes_data))

    async def disconnect(self, code: int) -> None:
        if self.viewer is not None:
            broadcaster.leave(self.viewer)

    @abstractmethod
    async def enter(self) -> None:
        """Sends the first messages."""

    async def take_bytes(self, data: bytes) -> None:
        raise SocketFault("malformed", "Only text is expected on this socket.")

    async def on_seen(self, message: dict[str, Any]) -> None:
        if self.viewer is not None:
            await self.viewer.confirm(int(_number(message, "seq")))

    async def watch(self, *, after: int) -> None:
        """Says hello, then sends what is stored and whatever comes."""
        state = await self._log_state()
        meeting = await find_meeting(self.meeting.pk) or self.meeting
        phase = state.phase if meeting.state == State.LIVE else ""
        await self.tell(events.hello(meeting, phase or meeting.state))
        self.viewer = Viewer(meeting.pk, self.send_text, after=after)
        await broadcaster.join(self.viewer)

    async def tell(self, message: events.Message) -> None:
        await self.send(text_data=events.encode(message))

    def query(self, name: str) -> str:
        values = parse_qs(self.scope["query_string"].decode("latin-1")).get(name)
        return values[0] if values else ""

    def after(self) -> int:
        value = self.query("after") or "0"
        if not value.isdecimal():
            raise SocketFault("malformed", "after is a whole number.")
        return int(value)

    async def _enter(self) -> None:
        meeting = await find_meeting(self.scope["url_route"]["kwargs"]["meeting_id"])
        if meeting is None:
            raise SocketFault("no_such_meeting")
        if not is_meeting_token(meeting, self.role, self.query("token")):
            raise SocketFault("bad_token")
        self.meeting = meeting
        await self.enter()

    async def _take(self, text: str | None, data: bytes | None) -> None:
        if data is not None:
            await self.take_bytes(data)
            return
        message = _parse(text or "")
        handler = getattr(self, f"on_{message['type']}", None)
        if handler is None:
            raise SocketFault("malformed", "Unknown message type.")
        await handler(message)

    async def _guarded(self, work: Any) -> None:
        """Runs one piece of work; a fault becomes a sentence and a close code, and nothing else suffers."""
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

    async def _log_state(self) -> LogState:
        return await AudioLog(broadcaster.broker).state(self.meeting.pk)


class ViewerConsumer(MeetingConsumer):
    """Reads captions: `/ws/captions/<meeting>/?token=&lang=&after=`."""

    role: Role = "join"

    async def enter(self) -> None:
        await self.watch(after=self.after())

    async def on_language(self, message: dict[str, Any]) -> None:
        """Accepted as the contract says; every language reads the original until there are translations."""
        if str(message.get("language")) not in LANGUAGES:
            raise SocketFault("malformed", "language is an ISO 639-1 code.")


class HostConsumer(MeetingConsumer):
    """Brings the audio: `/ws/host/<meeting>/?token=&session=&takeover=`.

    `session` names the page: the same page comes back at once, another one has to take over.
    """

    role: Role = "host"
    connection = ""
    ledger: asyncio.Task[None] | None = None

    async def enter(self) -> None:
        if self.meeting.state == State.ENDED:
            raise SocketFault("ended")
        connection = self.query("session") or uuid.uuid4().hex
        self.audio = AudioLog(broadcaster.broker)
        takeover = self.query("takeover") == "1"
        if not await self.audio.claim(self.meeting.pk, connection, takeover=takeover, cursor=self.meeting.cursor):
            raise SocketFault("another_host")
        self.connection = connection
        metrics.hosts.inc()
        self.paused = False
        state = await self._log_state()
        self.allowance = Allowance(time.monotonic(), absent_s=await self._absent_s(state))
        await self.tell(
            {"type": "ready", "next_frame": state.next_frame, "sample_rate": SAMPLE_RATE, "frame_ms": FRAME_MS}
        )
        await self.watch(after=self.after())
        self.ledger = asyncio.create_task(self._tell_ledger())

    async def disconnect(self, code: int) -> None:
        await super().disconnect(code)
        if not self.connection:
            return
        metrics.hosts.dec()
        if self.ledger is not None:
            self.ledger.cancel()
        with contextlib.suppress(RedisError, OSError):
            await self.audio.release(self.meeting.pk, self.connection)

    async def take_bytes(self, data: bytes) -> None:
        frame = parse_frame(data)
        self.allowance.spend(frame.seconds, time.monotonic())
        appended = await self.audio.append(self.meeting.pk, self.connection, frame.number, frame.pcm)
        metrics.frames.labels(appended.outcome.name.lower()).inc()
        if appended.outcome is Outcome.NOT_OWNER:
            raise SocketFault("another_host")
        if appended.outcome is Outcome.GAP:
            raise SocketFault("frame_gap", f"next_frame is {appended.next_frame}.")
        if self.viewer is not None:
            await self.viewer.confirm(self.viewer.sent_seq)
        self.paused = False
        await self.tell({"type": "ack", "frame": appended.next_frame - 1})

    async def on_pause(self, message: dict[str, Any]) -> None:
        self.paused = True
        await self.audio.mark(self.meeting.pk, "pause")

    async def on_resume(self, message: dict[str, Any]) -> None:
        self.paused = False
        await self.audio.mark(self.meeting.pk, "resume")

    async def on_end(self, message: dict[str, Any]) -> None:
        await self.audio.mark(self.meeting.pk, "end")

    async def on_set_language(self, message: dict[str, Any]) -> None:
        language = str(message.get("language"))
        if language != AUTO and language not in LANGUAGES:
            raise SocketFault("malformed", "language is an ISO 639-1 code or auto.")
        await self.audio.mark(self.meeting.pk, "language", language)

    async def on_summarize(self, message: dict[str, Any]) -> None:
        raise SocketFault("not_available", "Summaries come with a later version.")

    async def on_rename_speaker(self, message: dict[str, Any]) -> None:
        raise SocketFault("not_available", "Speaker names come with a later version.")

    async def on_missing(self, message: dict[str, Any]) -> None:
        """The browser could not keep this much audio; it will be shown as missing, never as silence."""
        await add_missing(self.meeting.pk, float(_number(message, "seconds")))

    async def _absent_s(self, state: LogState) -> float:
        """Seconds that the meeting ran without its host sending: that much may come at once."""
        meeting = self.meeting
        if meeting.started_at is None:
            return 0.0
        return max(0.0, time.time() - meeting.started_at.timestamp() - state.next_sample / SAMPLE_RATE)

    async def _tell_ledger(self) -> None:
        while True:
            await asyncio.sleep(LEDGER_S)
            with contextlib.suppress(RedisError, OSError):
                await self._tell_ledger_once()

    async def _tell_ledger_once(self) -> None:
        if self.paused:  # frames keep the place of a host that speaks; nothing else keeps that of one that pauses
            await self.audio.claim(self.meeting.pk, self.connection, takeover=False, cursor=self.meeting.cursor)
        state = await self._log_state()
        meeting = await find_meeting(self.meeting.pk)
        captioned = max(state.captioned, meeting.cursor if meeting else 0)
        await self.tell(
            {
                "type": "ledger",
                "captured_s": round(state.next_sample / SAMPLE_RATE, 2),
                "durable_s": round(state.next_sample / SAMPLE_RATE, 2),
                "captioned_s": round(captioned / SAMPLE_RATE, 2),
                "behind_s": round(max(0, state.next_sample - captioned) / SAMPLE_RATE, 2),
                "missing_s": round(meeting.missing_s if meeting else 0.0, 2),
            }
        )
        if meeting is None or meeting.state == State.ENDED:
            await self.close(NORMAL_CLOSURE)


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


def _number(message: dict[str, Any], name: str) -> float:
    value = message.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 2**53:
        raise SocketFault("malformed", f"{name} is a number, zero or more.")
    return value
