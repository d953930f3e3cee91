"""The end of a meeting: who spoke, translations; then it is over; then its last summary; then its log is forgotten."""

from __future__ import annotations

import asyncio

import structlog
from redis.exceptions import RedisError

from meetings.audio import recordings
from meetings.audio.audiolog import AudioLog
from meetings.models import State
from meetings.workers.holdings import Holdings
from meetings.workers.interpreting import Interpreting
from meetings.workers.labelling import Labelling
from meetings.workers.scribe import Scribe
from meetings.workers.stream import MeetingStream
from meetings.workers.summarising import Summarising

log = structlog.get_logger(__name__)

LOOK_S = 0.5
"""Before it is asked again whether the last summary is there."""


class Closing:
    """A worker's meetings that are captioned to their end, one after the other."""

    def __init__(
        self,
        holdings: Holdings,
        scribe: Scribe,
        audio: AudioLog,
        labelling: Labelling,
        interpreting: Interpreting,
        summarising: Summarising,
    ) -> None:
        self._holdings = holdings
        self._scribe = scribe
        self._audio = audio
        self._labelling = labelling
        self._interpreting = interpreting
        self._summarising = summarising
        self._ended: asyncio.Queue[MeetingStream] = asyncio.Queue()

    def add(self, stream: MeetingStream) -> None:
        """One more; `turn` comes to it."""
        self._ended.put_nowait(stream)

    async def all_done(self) -> None:
        """Returns when nothing is left to close."""
        await self._ended.join()

    async def turn(self) -> None:
        """Closes the next one, or waits for it."""
        stream = await self._ended.get()
        try:
            if not self._holdings.holds(stream):
                return
            if stream.state is not State.ENDED:
                await self._end(stream)
            if await self._summarising.is_wanted(stream):
                await asyncio.sleep(LOOK_S)
                self._ended.put_nowait(stream)
            else:
                await self._forget(stream)
        except (RedisError, OSError) as error:
            log.warning("broker_unreachable", step="end", error=str(error))
            self._holdings.drop(stream.meeting_id, "broker_unreachable")
        finally:
            self._ended.task_done()

    async def _end(self, stream: MeetingStream) -> None:
        """What is left to tell of it; then it is over for everybody."""
        if stream.keep_recording:
            await asyncio.to_thread(recordings.write, stream.meeting_id, stream.unrecorded(0, stream.session.received))
            await asyncio.to_thread(recordings.finish, stream.meeting_id)
        await self._labelling.finish(stream)
        await self._interpreting.finish(stream)
        await self._scribe.move(stream, State.ENDED)

    async def _forget(self, stream: MeetingStream) -> None:
        """The log goes last: whatever dies before that, the next worker finds the end there again."""
        await self._interpreting.finish(stream)
        await self._audio.forget(stream.meeting_id)
        await self._holdings.let_go(stream.meeting_id, "ended")
