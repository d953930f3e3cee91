"""Check once a second how far meetings are behind, and which hosts are absent."""

from __future__ import annotations

import time
from collections.abc import Mapping

import redis.asyncio
from django.db import connection

from inference.audio import SAMPLE_RATE
from meetings import supervise
from meetings.broker.audio_log import AudioLog
from meetings.models import State
from meetings.queries import in_database
from meetings.store.lag import MOVING_SAMPLE_S, SAMPLE_S, keep
from meetings.worker.assignment import Assignments
from meetings.worker.publisher import Publisher
from meetings.worker.stream import MeetingStream

CATCHING_UP_S = 20.0
"""Lag above the longest utterance: there is a backlog, and viewers are notified."""

CAUGHT_UP_S = 10.0
FLUSH_AFTER_S = 90.0
"""Absence after which a host's last utterance is closed."""

RETIRE_AFTER_S = 600.0

MOST_TICKS = 20
"""Ticks that may wait in a meeting before its words are only sealed at the end of an utterance."""

SEAL_AGAIN_AFTER_S = 120.0
"""Seconds after which a meeting that keeps up has its words sealed again."""


def database_answers() -> bool:
    """Return True, or raise a connection error if the database is away."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return True


class Monitor:
    """Monitor the lag and the hosts of one worker's meetings."""

    def __init__(self, broker: redis.asyncio.Redis, publisher: Publisher, assignments: Assignments) -> None:
        self._audio = AudioLog(broker)
        self._publisher = publisher
        self._assignments = assignments
        self.behind_s = 0.0
        """Seconds, of the meeting that was furthest behind at the last check."""
        self._kept_at = -SAMPLE_S
        self.is_database_away = False
        """Set on any database outage. Cleared here, so that the viewers of every meeting are notified."""

    async def turn(self, streams: Mapping[str, MeetingStream]) -> None:
        """Check every meeting."""
        if self.is_database_away:
            self.is_database_away = not (await supervise.contained(lambda: in_database(database_answers))).value
        worst, live, is_moving = 0.0, {}, False
        for stream in list(streams.values()):
            state = await self._audio.state(stream.meeting_id)
            behind_s = max(0, state.next_sample - stream.session.captioned) / SAMPLE_RATE
            worst = max(worst, behind_s)
            if stream.state is State.LIVE and not stream.is_upload:
                live[stream.meeting_id] = behind_s
                is_moving |= stream.phase in ("summarizing", "catching_up")
            await self._tell_lag(stream, behind_s)
            await self._mind_absence(stream)
            await self._mind_sealing(stream)
        self.behind_s = worst
        await self._keep(live, every_s=MOVING_SAMPLE_S if is_moving else SAMPLE_S)

    async def _keep(self, behind: Mapping[str, float], *, every_s: float) -> None:
        """Store lag samples for the admin's charts. Samples are skipped while the database is away."""
        if behind and not self.is_database_away and time.monotonic() - self._kept_at >= every_s:
            self._kept_at = time.monotonic()
            await in_database(keep, behind)

    async def _tell_lag(self, stream: MeetingStream, behind_s: float) -> None:
        if stream.state is State.ENDED or stream.phase == "summarizing":
            return
        if self.is_database_away or self._publisher.waits_for_database:
            await self._publisher.set_phase(stream, "degraded")
            return
        is_behind = behind_s > (CAUGHT_UP_S if stream.phase == "catching_up" else CATCHING_UP_S)
        await self._publisher.set_phase(stream, "catching_up" if is_behind else "", behind_s=behind_s)

    async def _mind_absence(self, stream: MeetingStream) -> None:
        absent_s = time.monotonic() - stream.heard_at
        if absent_s > RETIRE_AFTER_S and not stream.has_work:
            await self._audio.retire(stream.meeting_id)
            await self._assignments.let_go(stream.meeting_id, "idle")
            if await self._audio.has_after(stream.meeting_id, stream.last_read):  # its host came back meanwhile
                await self._audio.activate(stream.meeting_id)
        elif absent_s > FLUSH_AFTER_S and stream.session.received > stream.flushed:
            stream.flushed = stream.session.received
            await self._audio.mark(stream.meeting_id, "flush")

    async def _mind_sealing(self, stream: MeetingStream) -> None:
        """Do without sealed words while the machine is too slow for them. The mark makes it a part of the audio."""
        session, since_s = stream.session, time.monotonic() - stream.sealing_marked_at
        is_slow = session.is_sealing and session.waiting_ticks > MOST_TICKS and stream.phase != "summarizing"
        keeps_up = stream.seals and not session.is_sealing and not session.backlog
        if since_s > SEAL_AGAIN_AFTER_S and (is_slow or keeps_up):
            stream.sealing_marked_at = time.monotonic()
            await self._audio.mark(stream.meeting_id, "sealing", "off" if is_slow else "on")
