"""The host's socket: audio in, the host's word on meeting and speakers, and what became of the audio."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Callable
from typing import Any

from channels.db import database_sync_to_async
from redis.exceptions import RedisError

from inference.audio import SAMPLE_RATE
from meetings.accounts.tokens import Role
from meetings.audio.audiolog import AudioLog, LogState, Outcome
from meetings.languages import AUTO, LANGUAGES
from meetings.models import MAX_SPEAKERS, State
from meetings.operators import metrics
from meetings.rows import speakers, summaries, transcript
from meetings.rows.summaries import LONGEST_INTERVAL_S, SHORTEST_INTERVAL_S
from meetings.sockets import events
from meetings.sockets.consumers import MeetingConsumer, find_meeting, number_in
from meetings.sockets.errors import SocketFault
from meetings.sockets.frames import FRAME_MS, Allowance, parse_frame
from meetings.sockets.ledger import ledger
from meetings.uploading import uploads

LEDGER_S = 1.0
NORMAL_CLOSURE = 1000

add_missing = database_sync_to_async(transcript.add_missing)
is_upload = database_sync_to_async(uploads.is_upload)
ask_summary = database_sync_to_async(summaries.ask)
put_off_summary = database_sync_to_async(summaries.not_now)
set_summary_interval = database_sync_to_async(summaries.set_interval)
expect_speakers = database_sync_to_async(speakers.expect_speakers)
describe = database_sync_to_async(ledger)


class HostConsumer(MeetingConsumer):
    """Brings the audio: `/ws/host/<meeting>/?token=&session=&takeover=`.

    `session` names the page: the same page comes back at once, another one has to take over.
    """

    role: Role = "host"
    connection = ""
    ledger_task: asyncio.Task[None] | None = None

    async def enter(self) -> None:
        if self.meeting.state == State.ENDED:
            raise SocketFault("ended")
        if await is_upload(self.meeting.pk):
            raise SocketFault("recording")
        connection = self.query("session") or uuid.uuid4().hex
        self.audio = AudioLog(self.broadcaster.broker)
        takeover = self.query("takeover") == "1"
        if not await self.audio.claim(self.meeting.pk, connection, takeover=takeover, cursor=self.meeting.cursor):
            raise SocketFault("another_host")
        self.connection = connection
        metrics.hosts.inc()
        self.paused = False
        state = await self.log_state()
        self.allowance = Allowance(time.monotonic(), absent_s=await self._absent_s(state))
        await self.tell(
            {"type": "ready", "next_frame": state.next_frame, "sample_rate": SAMPLE_RATE, "frame_ms": FRAME_MS}
        )
        await self.watch(after=self.after())
        self.ledger_task = asyncio.create_task(self._tell_ledger())

    async def disconnect(self, code: int) -> None:
        await super().disconnect(code)
        if not self.connection:
            return
        metrics.hosts.dec()
        if self.ledger_task is not None:
            self.ledger_task.cancel()
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
        """A summary now; a worker writes it as soon as the people breathe."""
        if not await ask_summary(self.meeting.pk):
            raise SocketFault("nothing_new")

    async def on_not_now(self, message: dict[str, Any]) -> None:
        """No summary for a while."""
        await put_off_summary(self.meeting.pk)

    async def on_summary_every(self, message: dict[str, Any]) -> None:
        """Another interval; null: summaries only when asked for."""
        seconds = message.get("seconds")
        if seconds is not None:
            seconds = int(number_in(message, "seconds"))
            if not SHORTEST_INTERVAL_S <= seconds <= LONGEST_INTERVAL_S:
                raise SocketFault(
                    "malformed", f"seconds is from {SHORTEST_INTERVAL_S} to {LONGEST_INTERVAL_S}, or null."
                )
        await set_summary_interval(self.meeting.pk, seconds)

    async def on_rename_speaker(self, message: dict[str, Any]) -> None:
        label, name = _text(message, "speaker"), _text(message, "name")
        await self._correct(lambda: speakers.rename(self.meeting.pk, label, name))

    async def on_merge_speakers(self, message: dict[str, Any]) -> None:
        label, into = _text(message, "speaker"), _text(message, "into")
        await self._correct(lambda: speakers.merge_speakers(self.meeting.pk, label, into))

    async def on_assign_speaker(self, message: dict[str, Any]) -> None:
        segment, label = _text(message, "segment"), _text(message, "speaker")
        await self._correct(lambda: speakers.assign(self.meeting.pk, segment, label))

    async def on_expect_speakers(self, message: dict[str, Any]) -> None:
        count = message.get("count")
        if count is not None:
            count = int(number_in(message, "count"))
            if not 1 <= count <= MAX_SPEAKERS:
                raise SocketFault("malformed", f"count is a number from 1 to {MAX_SPEAKERS}, or null.")
        await expect_speakers(self.meeting.pk, count)
        await self.audio.mark(self.meeting.pk, "speakers", str(count or ""))

    async def on_missing(self, message: dict[str, Any]) -> None:
        """The browser could not keep this much audio; it will be shown as missing, never as silence."""
        await add_missing(self.meeting.pk, float(number_in(message, "seconds")))

    async def _correct(self, verb: Callable[[], int]) -> None:
        """The host's word on who spoke, stored and told to every screen."""
        try:
            seq = await database_sync_to_async(verb)()
        except (speakers.NoSuchSpeaker, speakers.NoSuchCaption, speakers.UnfitName) as error:
            raise SocketFault("unfit_correction", str(error)) from error
        except transcript.NoSuchMeeting as error:
            raise SocketFault("no_such_meeting") from error
        hint = events.pack([events.Bell(seq)])
        await self.broadcaster.broker.publish(events.events_channel(self.meeting.pk), hint)

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
        meeting = await find_meeting(self.meeting.pk)
        await self.tell(await describe(meeting or self.meeting, await self.log_state()))
        if meeting is None or meeting.state == State.ENDED:
            await self.close(NORMAL_CLOSURE)


def _text(message: dict[str, Any], name: str) -> str:
    value = message.get(name)
    if not isinstance(value, str):
        raise SocketFault("malformed", f"{name} is a text.")
    return value
