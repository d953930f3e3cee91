"""The host's socket: receive audio and control messages, report what became of the audio."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from redis.exceptions import RedisError

from inference.audio import SAMPLE_RATE
from meetings import metrics, supervise
from meetings.accounts.link_tokens import Role
from meetings.broker import hints
from meetings.broker.audio_log import AppendOutcome, AudioLog, Claimant, ClaimVerdict, Mark
from meetings.broker.shared_buckets import HOST_ARRIVALS, HOST_MESSAGES, SharedBuckets
from meetings.languages import AUTO, LANGUAGES, language_code
from meetings.live.consumers import MeetingConsumer, number_in, text_in
from meetings.live.errors import Code, SocketFault
from meetings.live.frames import FRAME_MS, PACE, parse_frame
from meetings.live.host_status import host_status
from meetings.live.limits import is_this_machine, network_of, socket_address
from meetings.live.outages import stored_meeting
from meetings.live.presence import LINK, PRESENCE_PING_S, Link
from meetings.models import MAX_SPEAKERS, State
from meetings.queries import read_rows, write_rows
from meetings.store import speakers, summary_attempts, transcript, uploads
from meetings.store.summary_attempts import LONGEST_INTERVAL_S, SHORTEST_INTERVAL_S

LEDGER_S = 1.0
KEEP_S = 1.0
WAKE_AFTER_S = 60.0
"""A host that wrote nothing for longer may have no worker any more (`worker.monitor.RETIRE_AFTER_S`)."""

BEAT_PING_S = 1.5
"""How long a paused page may take to answer; with KEEP_S less than the beat's TTL."""

RELEASE_S = 2.0
"""How long a closing socket may wait for the broker."""

NORMAL_CLOSURE = 1000

REFUSALS: dict[AppendOutcome, Code] = {
    AppendOutcome.NOT_OWNER: "another_host",
    AppendOutcome.TOO_FAST: "too_fast",
    AppendOutcome.FULL: "storage_full",
}
"""Error codes of refused frames. GAP and STALE are handled separately, with the next frame's number."""


class HostConsumer(MeetingConsumer):
    """The host's socket: `/ws/host/<meeting>/?token=&session=&page=&takeover=`.

    `session` identifies a tab and survives a reload; `page` identifies one load of it. The same page may reconnect at
    once, another page of the same session once the first one's socket is gone. Any other has to take over.
    """

    role: Role = "host"
    outage_fault: Code = "storage_unavailable"
    claimant: Claimant | None = None
    is_host = False
    paused = False
    wrote_at = 0.0
    """When the log last got something from here, in monotonic seconds."""
    tasks: tuple[asyncio.Task[None], ...] = ()

    async def enter(self) -> None:
        if self.meeting.state == State.ENDED:
            raise SocketFault("ended")
        if await read_rows(uploads.is_upload, self.meeting.pk):
            raise SocketFault("recording")
        await self._count_arrival()
        self.audio = AudioLog(self.broadcaster.broker)
        self.claimant = await self._claim()
        self.wrote_at = time.monotonic()
        self.is_host = True
        metrics.hosts.inc()
        state = await self.log_state()
        await self.tell(
            {"type": "ready", "next_frame": state.next_frame, "sample_rate": SAMPLE_RATE, "frame_ms": FRAME_MS}
        )
        self.tasks = (supervise.start("host_place", self._keep_place),)
        await self.watch(after=self.after())
        self.tasks += (supervise.start("ledger", self._tell_ledger),)

    async def leave(self) -> None:
        await super().leave()
        for task in self.tasks:
            task.cancel()
        if self.is_host:
            self.is_host = False
            metrics.hosts.dec()
        claimant, self.claimant = self.claimant, None
        if claimant is None:
            return
        self.broadcaster.presence.leave(claimant.connection)
        with suppress(RedisError, ConnectionError, TimeoutError):
            async with asyncio.timeout(RELEASE_S):
                await self.audio.release(self.meeting.pk, claimant.connection, session=claimant.session)

    async def take_bytes(self, data: bytes) -> None:
        frame = parse_frame(data)
        if self.claimant is None:
            return  # refused already
        if not await self.broadcaster.room.is_left():
            raise SocketFault("storage_full")
        appended = await self.audio.append(
            self.meeting.pk, self.claimant.connection, frame.number, frame.pcm, pace=PACE
        )
        metrics.frames.labels(appended.outcome.name.lower()).inc()
        if appended.outcome in REFUSALS:
            raise SocketFault(REFUSALS[appended.outcome])
        if appended.outcome in (AppendOutcome.GAP, AppendOutcome.STALE):
            raise SocketFault("frame_gap", f"next_frame is {appended.next_frame}.")
        if self.viewer is not None:
            await self.viewer.confirm(self.viewer.sent_seq)
        self.paused = False
        await self._wake_worker()
        await self.tell({"type": "ack", "frame": appended.next_frame - 1})

    async def on_pause(self, message: dict[str, Any]) -> None:
        self.paused = True
        await self._mark("pause")

    async def on_resume(self, message: dict[str, Any]) -> None:
        self.paused = False
        await self._mark("resume")

    async def on_end(self, message: dict[str, Any]) -> None:
        await self._mark("end")

    async def on_set_language(self, message: dict[str, Any]) -> None:
        language = language_code(str(message.get("language")))
        if language is None or (language != AUTO and language not in LANGUAGES):
            raise SocketFault("malformed", "language is an ISO 639-1 code or auto.")
        await self._mark("language", language)

    async def on_summarize(self, message: dict[str, Any]) -> None:
        """Request a summary now. A worker writes it at the next pause in speech."""
        if not await write_rows(summary_attempts.ask, self.meeting.pk):
            raise SocketFault("nothing_new")

    async def on_not_now(self, message: dict[str, Any]) -> None:
        """Put off summaries for a while."""
        await write_rows(summary_attempts.not_now, self.meeting.pk)

    async def on_summary_every(self, message: dict[str, Any]) -> None:
        """Set the summary interval; null means summaries only on request."""
        seconds = message.get("seconds")
        if seconds is not None:
            seconds = int(number_in(message, "seconds"))
            if not SHORTEST_INTERVAL_S <= seconds <= LONGEST_INTERVAL_S:
                raise SocketFault(
                    "malformed", f"seconds is from {SHORTEST_INTERVAL_S} to {LONGEST_INTERVAL_S}, or null."
                )
        await write_rows(summary_attempts.set_interval, self.meeting.pk, seconds)

    async def on_rename_speaker(self, message: dict[str, Any]) -> None:
        label, name = text_in(message, "speaker"), text_in(message, "name")
        await self._correct(lambda: speakers.rename(self.meeting.pk, label, name))

    async def on_merge_speakers(self, message: dict[str, Any]) -> None:
        label, into = text_in(message, "speaker"), text_in(message, "into")
        await self._correct(lambda: speakers.merge_speakers(self.meeting.pk, label, into))

    async def on_assign_speaker(self, message: dict[str, Any]) -> None:
        segment, label = text_in(message, "segment"), text_in(message, "speaker")
        await self._correct(lambda: speakers.assign(self.meeting.pk, segment, label))

    async def on_expect_speakers(self, message: dict[str, Any]) -> None:
        count = message.get("count")
        if count is not None:
            count = int(number_in(message, "count"))
            if not 1 <= count <= MAX_SPEAKERS:
                raise SocketFault("malformed", f"count is a number from 1 to {MAX_SPEAKERS}, or null.")
        await write_rows(speakers.expect_speakers, self.meeting.pk, count)
        await self._mark("speakers", str(count or ""))

    async def on_missing(self, message: dict[str, Any]) -> None:
        """Add audio that the browser could not keep. It is shown as missing, never as silence."""
        await write_rows(transcript.add_missing, self.meeting.pk, float(number_in(message, "seconds")))

    async def _mark(self, mark: Mark, value: str = "") -> None:
        await self.audio.mark(self.meeting.pk, mark, value)
        await self._wake_worker()

    async def _wake_worker(self) -> None:
        """Have the log read again after a long silence. Call it after writing, or a worker could still let go."""
        now = time.monotonic()
        is_late, self.wrote_at = now - self.wrote_at > WAKE_AFTER_S, now
        if is_late:
            await self.audio.activate(self.meeting.pk)

    async def _correct(self, verb: Callable[[], int]) -> None:
        """Store a speaker correction of the host, and publish a hint for it."""
        try:
            seq = await write_rows(verb)
        except (speakers.NoSuchSpeaker, speakers.NoSuchCaption, speakers.UnfitName) as error:
            raise SocketFault("unfit_correction", str(error)) from error
        except transcript.NoSuchMeeting as error:
            raise SocketFault("no_such_meeting") from error
        hint = hints.pack([hints.StoredChange(seq)])
        await self.broadcaster.broker.publish(hints.events_channel(self.meeting.pk), hint)

    async def _count_arrival(self) -> None:
        """Limit how often hosts of one address connect, generously enough for broken links."""
        address = socket_address(self.scope)
        if is_this_machine(address):
            return
        if not await SharedBuckets(self.broadcaster.broker).take(HOST_ARRIVALS, network_of(address)):
            raise SocketFault("too_many_connections")

    async def count_message(self) -> None:
        """Of the meeting, in the broker: connecting again buys nothing."""
        await super().count_message()
        if not await SharedBuckets(self.broadcaster.broker).take(HOST_MESSAGES, self.meeting.pk):
            raise SocketFault("too_many_messages")

    async def _claim(self) -> Claimant:
        """Claim the meeting as its host. Raises SocketFault `another_host`."""
        connection = self.broadcaster.presence.new_connection()
        session = _digest(self.query("session")) or connection
        claimant = Claimant(connection, session, _digest(self.query("page")))
        await self.broadcaster.presence.enter(connection, self._lives)
        try:
            verdict, other = await self._ask_for_place(claimant)
            if verdict is not ClaimVerdict.GRANTED and not await self.broadcaster.presence.lives(other):
                verdict, _ = await self._ask_for_place(claimant, gone=other)
        except BaseException:
            self.broadcaster.presence.leave(connection)
            raise
        if verdict is not ClaimVerdict.GRANTED:
            self.broadcaster.presence.leave(connection)
            raise SocketFault("another_host")
        return claimant

    async def _ask_for_place(self, claimant: Claimant, *, gone: str = "") -> tuple[ClaimVerdict, str]:
        started = self.meeting.started_at
        claim = await self.audio.claim_as(
            self.meeting.pk,
            claimant,
            takeover=self.query("takeover") == "1",
            cursor=self.meeting.cursor,
            gone=gone,
            age_s=0.0 if started is None else max(0.0, time.time() - started.timestamp()),
        )
        return claim.verdict, claim.other

    async def _lives(self, within_s: float = PRESENCE_PING_S) -> bool:
        """Return whether the browser still answers. If the server cannot ping, an open socket counts as alive."""
        if self.is_closed:
            return False
        link: Link | None = (self.scope.get("extensions") or {}).get(LINK)
        return link is None or await link.answers(within_s)

    async def _keep_place(self) -> None:
        """Keep the claim alive. Frames renew the host's lease and beat; while it pauses, its answers to pings do.

        A timer of a hidden page may run once a minute, but the browser answers pings for it.
        """
        await asyncio.sleep(KEEP_S)
        claimant = self.claimant
        if claimant is None:
            return
        has_paused = self.paused or self.meeting.state == State.PAUSED
        keeps_place = has_paused and await self._lives(BEAT_PING_S)
        if not await self.audio.keep(self.meeting.pk, claimant, keeps_place=keeps_place):
            await self.dismiss("another_host")

    async def _tell_ledger(self) -> None:
        await asyncio.sleep(LEDGER_S)
        if self.is_closed:
            return
        meeting = await read_rows(stored_meeting, self.meeting.pk)
        self.meeting = meeting or self.meeting
        await self.tell(await read_rows(host_status, self.meeting, await self.log_state()))
        if meeting is None or meeting.state == State.ENDED:
            await self.close(NORMAL_CLOSURE)


def _digest(name: str) -> str:
    """Hash a client's name for itself: short, and without spaces."""
    return hashlib.sha256(name.encode(errors="replace")).hexdigest()[:32] if name else ""
