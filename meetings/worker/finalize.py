"""The end of a meeting: who spoke, translations; then it is over; then its last summary; then its log is forgotten."""

from __future__ import annotations

import asyncio

import structlog
from channels.db import database_sync_to_async

from meetings.broker.audio_log import AudioLog
from meetings.models import Stage, State
from meetings.store import recordings, tombstones, transcript
from meetings.worker.assignment import Assignments
from meetings.worker.commit import record
from meetings.worker.diarize import DiarizeStep
from meetings.worker.isolation import Isolation, ModelFailed
from meetings.worker.publisher import Publisher
from meetings.worker.stream import MeetingStream
from meetings.worker.summarize import SummarizeStep
from meetings.worker.translate import TranslateStep

log = structlog.get_logger(__name__)

AGAIN_S = 0.5
"""Before it is asked again whether the last summary is there, or the disk has room for the recording."""

put_if_gone = database_sync_to_async(tombstones.put_if_gone, thread_sensitive=False)
store_recorded_until = database_sync_to_async(transcript.store_recorded_until, thread_sensitive=False)


class FinalizeStep:
    """A worker's meetings that are captioned to their end, one after the other."""

    def __init__(
        self,
        assignments: Assignments,
        publisher: Publisher,
        audio: AudioLog,
        isolation: Isolation,
        diarize_step: DiarizeStep,
        translate_step: TranslateStep,
        summarize_step: SummarizeStep,
    ) -> None:
        self._assignments = assignments
        self._publisher = publisher
        self._audio = audio
        self._isolation = isolation
        self._diarize_step = diarize_step
        self._translate_step = translate_step
        self._summarize_step = summarize_step
        self._ended: asyncio.Queue[MeetingStream] = asyncio.Queue()

    def add(self, stream: MeetingStream) -> None:
        """One more; `turn` comes to it."""
        self._ended.put_nowait(stream)

    async def all_done(self) -> None:
        """Returns when nothing is left to close."""
        await self._ended.join()

    async def turn(self) -> None:
        """Closes the next one, or waits for it. What fails is the meeting's own."""
        stream = await self._ended.get()
        try:
            if self._assignments.holds(stream):
                await self._isolation.guard(stream, Stage.CAPTIONS, lambda: self._close(stream))
        finally:
            self._ended.task_done()

    async def _close(self, stream: MeetingStream) -> None:
        is_recorded = await self._finish_recording(stream)
        if stream.state is not State.ENDED:
            await self._end(stream)
        if is_recorded and not await self._summarize_step.is_wanted(stream):
            await self._forget(stream)
        elif self._assignments.holds(stream):
            await asyncio.sleep(AGAIN_S)
            self._ended.put_nowait(stream)

    async def _end(self, stream: MeetingStream) -> None:
        """What is left to tell of it; then it is over for everybody. Captions do not wait for names and languages."""
        await self._finish_stage(stream, Stage.SPEAKERS)
        await self._finish_stage(stream, Stage.TRANSLATION)
        if self._assignments.holds(stream):
            await self._publisher.move(stream, State.ENDED)

    async def _finish_stage(self, stream: MeetingStream, stage: Stage) -> None:
        """Finish it, or go on without it after as many failures as `stage_failures.MAX_ATTEMPTS`."""
        finish = self._diarize_step.finish if stage is Stage.SPEAKERS else self._translate_step.finish
        while stage not in stream.set_aside and self._assignments.holds(stream):
            failures_before = stream.failures
            try:
                await self._isolation.guard(stream, stage, lambda: finish(stream))
            except ModelFailed as error:
                log.error("meeting_ends_without", meeting=stream.meeting_id, stage=stage.value, error=str(error))
                return
            if stream.failures == failures_before:
                return
            await asyncio.sleep(AGAIN_S)

    async def _finish_recording(self, stream: MeetingStream) -> bool:
        """Return whether the recording is whole, where one is kept. A full disk is waited for."""
        if not stream.keep_recording:
            return True
        try:
            if stream.recorded_until < stream.session.received:
                if not await record(stream, stream.session.received):
                    return False
                await self._publisher.retry(stream, lambda: store_recorded_until(stream.lease, stream.recorded_until))
            await asyncio.to_thread(recordings.finish, stream.meeting_id)
        except OSError as error:
            log.error("recording_not_written", meeting=stream.meeting_id, error=error.strerror or type(error).__name__)
            return False
        return True

    async def _forget(self, stream: MeetingStream) -> None:
        """The log goes last: whatever dies before that, the next worker finds the end there again."""
        await self._finish_stage(stream, Stage.TRANSLATION)
        if self._assignments.holds(stream):
            await self._audio.forget(stream.meeting_id)
            await put_if_gone(stream.meeting_id)
            await self._assignments.let_go(stream.meeting_id, "ended")
