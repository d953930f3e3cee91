"""The meetings that a worker holds: taken by lease, given back, lost."""

from __future__ import annotations

import redis.asyncio
import structlog
from channels.db import database_sync_to_async
from redis.exceptions import RedisError

from inference.audio import SAMPLE_RATE
from meetings.audio.audiolog import AudioLog
from meetings.models import Meeting
from meetings.rows import speakers, summaries, transcript
from meetings.uploading import uploads
from meetings.workers.leases import Leases
from meetings.workers.stream import REHEAR_S, MeetingStream
from meetings.workers.voices import Memory

log = structlog.get_logger(__name__)


class Holdings:
    """Belongs to one worker."""

    def __init__(self, worker: str, broker: redis.asyncio.Redis) -> None:
        self._audio = AudioLog(broker)
        self._leases = Leases(broker, worker)
        self.streams: dict[str, MeetingStream] = {}
        """By meeting."""

    def holds(self, stream: MeetingStream) -> bool:
        """Whether the stream is still this worker's."""
        return self.streams.get(stream.meeting_id) is stream

    async def assign(self) -> None:
        """Takes every active meeting that no living worker holds."""
        for meeting_id in await self._audio.active():
            if meeting_id not in self.streams and await self._leases.acquire(meeting_id):
                await self._open(meeting_id)

    async def renew(self) -> None:
        for meeting_id in await self._leases.renew(list(self.streams)):
            self.drop(meeting_id, "lease_expired")

    def drop(self, meeting_id: str, reason: str) -> None:
        """Forgets a meeting that is, or may be, another worker's by now."""
        if self.streams.pop(meeting_id, None) is not None:
            log.info("meeting_dropped", meeting=meeting_id, reason=reason)

    async def let_go(self, meeting_id: str, reason: str) -> None:
        """Gives a meeting back at once, so that nobody waits for its lease to expire."""
        await self._leases.release(meeting_id)
        self.drop(meeting_id, reason)

    async def give_back(self) -> None:
        """Lets go of everything at the end of the worker."""
        try:
            for meeting_id in list(self.streams):
                await self.let_go(meeting_id, "worker_stops")
            await self._leases.sign_off()
        except (RedisError, OSError) as error:
            log.warning("leases_left_to_expire", error=str(error))

    async def _open(self, meeting_id: str) -> None:
        try:
            stream = await open_stream(meeting_id)
        except transcript.NoSuchMeeting:
            await self._audio.forget(meeting_id)
            await self._leases.release(meeting_id)
            return
        if (await self._audio.state(meeting_id)).phase:
            stream.phase = "catching_up"  # whatever a worker before was at: it is over when the captions are live again
        self.streams[meeting_id] = stream
        log.info("meeting_taken", meeting=meeting_id, cursor_s=stream.committed / SAMPLE_RATE, epoch=stream.lease.epoch)


@database_sync_to_async
def open_stream(meeting_id: str) -> MeetingStream:
    """Takes the meeting over. Raises NoSuchMeeting."""
    meeting = transcript.take_lease(meeting_id)
    summaries.take_over(meeting_id)
    return MeetingStream(meeting, _memory(meeting), is_upload=uploads.is_upload(meeting_id))


def _memory(meeting: Meeting) -> Memory:
    heard_again_from = meeting.cursor / SAMPLE_RATE - REHEAR_S
    return Memory(speakers.highest_number(meeting), tuple(speakers.labelled_since(meeting, heard_again_from)))
