"""Finalize a meeting: speakers, translations, the ended state, the last summary, and then the log's removal."""

from __future__ import annotations

import asyncio

import structlog

from meetings.broker.audio_log import AudioLog
from meetings.models import Stage, State
from meetings.queries import in_database
from meetings.store import recordings, second_passes, summary_attempts, tombstones, transcript
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
"""Delay before checking again for the last summary, or for disk space for the recording."""


class FinalizeStep:
    """Finalize a worker's meetings that are captioned to their end. Several loops may call `turn`."""

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
        """Queue a meeting for `turn`."""
        self._ended.put_nowait(stream)

    async def all_done(self) -> None:
        """Wait until the queue is empty."""
        await self._ended.join()

    async def turn(self) -> None:
        """Wait for the next meeting and finalize it. Errors are counted against that meeting."""
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
        is_summary_due = await self._is_summary_due(stream)
        if is_recorded and not is_summary_due:
            if stream.keep_recording and not stream.is_upload:
                await in_database(second_passes.want_after_end, stream.meeting_id)
            await self._forget(stream)
        elif self._assignments.holds(stream):
            await asyncio.sleep(AGAIN_S)
            self._ended.put_nowait(stream)

    async def _is_summary_due(self, stream: MeetingStream) -> bool:
        """Return whether the last summary is still to be written. Readers are told when that changes, or the reason."""
        is_due = await self._summarize_step.is_wanted(stream)
        failure = await in_database(summary_attempts.failure_of_last, stream.meeting_id) if is_due else ""
        if (is_due, failure) != stream.told_of_summary:
            stream.told_of_summary = (is_due, failure)
            await self._publisher.set_summary_due(stream, is_due=is_due, failure=failure)
        return is_due

    async def _end(self, stream: MeetingStream) -> None:
        """Finish the labels and translations, then set the meeting to ended. The captions are published already."""
        await self._finish_stage(stream, Stage.SPEAKERS)
        await self._finish_stage(stream, Stage.TRANSLATION)
        if self._assignments.holds(stream):
            await self._publisher.set_state(stream, State.ENDED)

    async def _finish_stage(self, stream: MeetingStream, stage: Stage) -> None:
        """Finish the stage, or skip it after `stage_failures.MAX_STAGE_ATTEMPTS` failures."""
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
        """Return whether the recording is complete or none is kept. A full disk returns False, to be tried again."""
        if not stream.keep_recording:
            return True
        try:
            if stream.recorded_until < stream.session.received:
                if not await record(stream, stream.session.received):
                    return False
                await self._publisher.store(
                    stream, transcript.store_recorded_until, stream.lease, stream.recorded_until
                )
            await asyncio.to_thread(recordings.finish, stream.meeting_id)
        except OSError as error:
            log.error("recording_not_written", meeting=stream.meeting_id, error=error.strerror or type(error).__name__)
            return False
        return True

    async def _forget(self, stream: MeetingStream) -> None:
        """Forget the log last: if the worker dies before, the next one finds the end mark in it again."""
        await self._finish_stage(stream, Stage.TRANSLATION)
        if self._assignments.holds(stream):
            await self._audio.forget(stream.meeting_id)
            await in_database(tombstones.put_if_gone, stream.meeting_id)
            await self._assignments.let_go(stream.meeting_id, "ended")
