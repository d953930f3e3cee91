"""Commit what a turn found: store it, publish it, then trim its audio from the log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from inference.audio import SAMPLE_RATE
from inference.types import Progress
from meetings.broker.audio_log import AudioEntry, AudioLog
from meetings.broker.hints import Broadcast, Recheck, StoredChange, partial
from meetings.models import State
from meetings.store import recordings, transcript
from meetings.worker.publisher import Publisher
from meetings.worker.stream import MeetingStream, TurnResult

log = structlog.get_logger(__name__)


class CommitStep:
    """Store and publish the turn results of one worker. Runs in its event loop."""

    def __init__(
        self,
        publisher: Publisher,
        audio: AudioLog,
        *,
        on_finals: Callable[[], object],
        on_end: Callable[[MeetingStream], object],
    ) -> None:
        """Call `on_finals` when there is something to translate, `on_end` when a meeting is captioned to its end."""
        self._publisher = publisher
        self._audio = audio
        self._on_finals = on_finals
        self._on_end = on_end
        self.captioned_s = 0.0
        """Seconds of audio since the start."""

    async def store(self, stream: MeetingStream, result: TurnResult) -> None:
        """Store, publish, trim.

        If a commit fails, release the meeting; the next owner resumes at its cursor.
        Raises LeaseLost, permanent database errors, and broker outages.
        """
        await self._store(stream, result)
        ended = any(mark.mark == "end" for mark in result.marks)
        if result.spoken and not ended:
            await self._publisher.set_state(stream, State.LIVE)
        for mark in result.marks:
            await self._apply_mark(stream, mark)
        if result.marks and (before := stream.forgettable_marks()) is not None:
            await self._audio.trim(stream.meeting_id, before)

    async def _store(self, stream: MeetingStream, result: TurnResult) -> None:
        """Commit, publish, then trim: in this order, so that a crash repeats work and never loses any."""
        hints: list[StoredChange | Broadcast] = []
        if result.finals or result.progress or result.missing:
            seq = await self._publisher.store(
                stream,
                transcript.commit,
                stream.lease,
                result.finals,
                result.progress,
                missing_s=result.missing / SAMPLE_RATE,
                recorded_until=stream.recorded_until if stream.keep_recording else None,
            )
            hints.append(StoredChange(seq))
        hints += [Broadcast(partial(event)) for event in result.partials]
        await self._publisher.publish(stream, hints)
        if result.finals:
            stream.awaits_labels = stream.awaits_translation = True
            self._on_finals()
        await self._tell_language(stream, result)
        if result.progress:
            await self._forget(stream, result.progress)
        elif result.finals:
            await self._audio.report(stream.meeting_id, captioned=stream.captioned, phase=stream.phase)

    async def _tell_language(self, stream: MeetingStream, result: TurnResult) -> None:
        """Report to the host when the language heard differs from the one that is set."""
        for heard in result.languages:
            stream.doubt.take(heard)
        detected = stream.doubt.language or ""
        if detected != stream.told_language:
            stream.told_language = detected
            await self._audio.report_language(stream.meeting_id, detected)

    async def _forget(self, stream: MeetingStream, progress: Progress) -> None:
        """Trim the log up to what is captioned, and write the recording if one is kept.

        Audio stays in the log until its row says that it is recorded, so it is trimmed at the next commit.
        """
        self.captioned_s += max(0, progress.position - stream.committed) / SAMPLE_RATE
        stream.committed = progress.position
        before = stream.forgettable(progress)
        if before is not None:
            await self._audio.trim(stream.meeting_id, before)
        await self._audio.report(stream.meeting_id, captioned=stream.captioned, phase=stream.phase)
        if stream.keep_recording:
            await record(stream, progress.position)

    async def _apply_mark(self, stream: MeetingStream, mark: AudioEntry) -> None:
        match mark.mark:
            case "pause":
                await self._publisher.set_state(stream, State.PAUSED)
            case "resume":
                await self._publisher.set_state(stream, State.LIVE)
            case "language":
                await self._publisher.store(stream, transcript.set_language, stream.lease, mark.value)
                await self._publisher.publish(stream, [Recheck()])
            case "end":
                self._on_end(stream)


async def record(stream: MeetingStream, until: int) -> bool:
    """Write the audio before `until` (samples) into the recording; return whether all of it is there.

    A disk error costs no captions: the audio stays in the log, and the next commit tries again.
    """
    kept = stream.kept(stream.recorded_until, until)
    try:
        await asyncio.to_thread(recordings.write, stream.meeting_id, kept)
    except OSError as error:
        log.error("recording_not_written", meeting=stream.meeting_id, error=error.strerror or type(error).__name__)
        return False
    stream.recorded_until = max(stream.recorded_until, until)
    return True
