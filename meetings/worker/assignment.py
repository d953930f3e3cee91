"""The meetings assigned to a worker: acquired by lease, released, lost."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import redis.asyncio
import structlog
from django.db import DatabaseError
from redis.exceptions import RedisError

from inference.audio import SAMPLE_RATE
from meetings import supervise
from meetings.broker.audio_log import AudioLog
from meetings.broker.leases import Leases
from meetings.models import Meeting, Stage
from meetings.queries import in_database
from meetings.store import speakers, stage_failures, summary_attempts, tombstones, transcript, uploads
from meetings.worker.speaker_track import ResumeState
from meetings.worker.stream import REHEAR_S, MeetingStream

log = structlog.get_logger(__name__)

DEFERRED_S = 2.0
"""Delay before a meeting that could not be opened is tried again."""


class SetAside(Exception):
    """The meeting's captions failed too often; no worker takes it until a retry is requested."""


@dataclass(frozen=True, slots=True)
class TakenMeeting:
    """A meeting that was just taken."""

    stream: MeetingStream
    was_leased: bool
    """Whether another worker never released the meeting: it died, or lost its lease."""


class Assignments:
    """The streams of the meetings that one worker holds a lease on."""

    def __init__(self, worker: str, broker: redis.asyncio.Redis) -> None:
        self._audio = AudioLog(broker)
        self._leases = Leases(broker, worker)
        self._not_before: dict[str, float] = {}
        """Earliest time at which this worker may take a meeting again, by meeting id."""
        self._dropped_epochs: dict[str, int] = {}
        """Epochs of the meetings that this worker dropped without a fault of theirs, by meeting id."""
        self.streams: dict[str, MeetingStream] = {}
        """By meeting id."""

    def holds(self, stream: MeetingStream) -> bool:
        """Return whether this worker still holds the stream."""
        return self.streams.get(stream.meeting_id) is stream

    async def assign(self, admit: Callable[[TakenMeeting], Awaitable[object]]) -> None:
        """Take every active meeting that no live worker holds. A meeting that cannot be opened does not block others.

        `admit` may raise SetAside.
        """
        active = await self._audio.active()
        self._dropped_epochs = {key: epoch for key, epoch in self._dropped_epochs.items() if key in active}
        for meeting_id in active:
            if self._may_take(meeting_id) and await self._leases.acquire(meeting_id):
                done = await supervise.contained(partial(self._open, meeting_id, admit))
                if done.error is not None:
                    await self._not_opened(meeting_id, done.error)

    async def recheck(self) -> None:
        """Release meetings whose log was truncated, as by a failover to a broker that lacks the newest entries.

        The truncated log reuses entry ids that were already read, so the worker would wait for ids past them. After the
        release the meeting is read from its cursor; the host resends what it still has and counts the rest as lost.
        """
        for stream in list(self.streams.values()):
            newest = stream.newest
            if newest is None or newest.mark == "end" or await self._audio.has(stream.meeting_id, newest):
                continue
            state = await self._audio.state(stream.meeting_id)
            if self.holds(stream):
                short_s = max(0, newest.end - state.next_sample) / SAMPLE_RATE
                log.warning("audio_log_cut", meeting=stream.meeting_id, short_s=round(short_s, 1))
                await self.let_go(stream.meeting_id, "audio_log_cut")

    async def renew(self, *, is_making_progress: bool = True) -> None:
        """Renew the leases. A worker whose models make no progress does not count as ready."""
        renewal = await self._leases.renew(list(self.streams), is_ready=is_making_progress)
        for meeting_id in renewal.lost:
            self.drop(meeting_id, "lease_expired")
        for meeting_id in renewal.regained:
            stream = self.streams.get(meeting_id)
            if stream is None:  # given back while its lease was renewed
                await self._leases.release(meeting_id)
            elif not await in_database(transcript.is_current, stream.lease) and self.holds(stream):
                self.drop(meeting_id, "lease_expired")
                await self._leases.release(meeting_id)

    def drop(self, meeting_id: str, reason: str, *, is_suspect: bool = False) -> None:
        """Forget a meeting that another worker may hold by now.

        `is_suspect`: it may be the meeting's own fault, so its next worker processes it alone.
        """
        stream = self.streams.pop(meeting_id, None)
        if stream is None:
            return
        if not is_suspect:
            self._dropped_epochs[meeting_id] = stream.lease.epoch
        log.info("meeting_dropped", meeting=meeting_id, reason=reason)

    def defer(self, meeting_id: str, seconds: float) -> None:
        """Leave the meeting to other workers for `seconds`."""
        self._not_before[meeting_id] = time.monotonic() + seconds

    async def let_go(self, meeting_id: str, reason: str) -> None:
        """Release a meeting at once, so that other workers need not wait for its lease to expire."""
        stream = self.streams.get(meeting_id)
        self.drop(meeting_id, reason)
        if stream is not None:
            await in_database(transcript.release_lease, stream.lease)
        await self._leases.release(meeting_id)

    async def give_back(self) -> None:
        """Release all meetings when the worker stops."""
        try:
            for meeting_id in list(self.streams):
                await self.let_go(meeting_id, "worker_stops")
            await self._leases.sign_off()
        except (RedisError, OSError, DatabaseError) as error:
            log.warning("leases_left_to_expire", error=type(error).__name__)

    async def abandon(self) -> None:
        """Release all meetings after a failure. The row leases stay, so that the next workers know of the failure."""
        try:
            for meeting_id in list(self.streams):
                self.drop(meeting_id, "worker_failed")
                await self._leases.release(meeting_id)
            await self._leases.sign_off()
        except (RedisError, OSError) as error:
            log.warning("leases_left_to_expire", error=type(error).__name__)

    def _may_take(self, meeting_id: str) -> bool:
        if meeting_id in self.streams:
            return False
        if time.monotonic() < self._not_before.get(meeting_id, 0.0):
            return False
        self._not_before.pop(meeting_id, None)
        return True

    async def _open(self, meeting_id: str, admit: Callable[[TakenMeeting], Awaitable[object]]) -> None:
        try:
            opened = await in_database(open_stream, meeting_id, self._dropped_epochs.pop(meeting_id, None))
        except transcript.NoSuchMeeting:
            await self._audio.forget(meeting_id)
            await in_database(tombstones.put_if_gone, meeting_id)
            await self._leases.release(meeting_id)
            return
        stream = opened.stream
        await admit(opened)
        if (await self._audio.state(meeting_id)).phase:
            stream.phase = "catching_up"  # the previous worker's phase ends when captions are live again
        self.streams[meeting_id] = stream
        log.info("meeting_taken", meeting=meeting_id, cursor_s=stream.committed / SAMPLE_RATE, epoch=stream.lease.epoch)

    async def _not_opened(self, meeting_id: str, error: Exception) -> None:
        """Defer the meeting; retire it after too many failures."""
        self.defer(meeting_id, DEFERRED_S)
        if isinstance(error, SetAside):
            await self._audio.retire(meeting_id)
        elif supervise.outage_of(error) is not None:
            raise error
        else:
            log.error("meeting_not_opened", meeting=meeting_id, where=supervise.where(error))
            kind = supervise.class_of(error)
            if await in_database(stage_failures.record_failure, meeting_id, Stage.CAPTIONS, position=0, error=kind):
                await self._audio.retire(meeting_id)
        await self._leases.release(meeting_id)


def open_stream(meeting_id: str, dropped_epoch: int | None = None) -> TakenMeeting:
    """Take over the meeting. Raises NoSuchMeeting.

    `dropped_epoch`: the epoch of the lease that this worker had before; its own lease is no sign of a death.
    """
    meeting = transcript.take_lease(meeting_id)
    summary_attempts.reset_after_takeover(meeting_id)
    stream = MeetingStream(meeting, _resume_state(meeting), upload=uploads.find(meeting_id))
    stream.has_channel_speakers = uploads.has_speaker_per_channel(meeting_id)
    was_own = meeting.lease_epoch - 1 == dropped_epoch
    return TakenMeeting(stream, was_leased=meeting.is_leased and not was_own)


def _resume_state(meeting: Meeting) -> ResumeState:
    heard_again_from = meeting.cursor / SAMPLE_RATE - REHEAR_S
    return ResumeState(speakers.highest_number(meeting), tuple(speakers.labelled_since(meeting, heard_again_from)))
