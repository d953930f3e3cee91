"""An inference worker: takes meetings, reads their audio logs, has them captioned, stores, tells.

The event loop does the reading, storing and telling; one thread owns the models that write (`inference.engine.Engine`),
one those that tell speakers apart (`meetings.labelling`), one those that translate (`meetings.interpreting`).
Durable first, live second: finals and cursor are committed in one transaction before anybody is told, and the log is
trimmed after that. Whatever dies in between, the next worker resumes at the cursor and finds the same captions.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import TypeVar

import redis.asyncio
import structlog
from channels.db import database_sync_to_async
from redis.exceptions import RedisError

from inference.audio import SAMPLE_RATE
from inference.types import Progress
from meetings import events, recordings, speakers, transcript
from meetings.audiolog import AudioLog, Entry
from meetings.engines import Loaders
from meetings.interpreting import Interpreting
from meetings.labelling import Labelling
from meetings.leases import RENEW_S, Leases
from meetings.metrics import WorkerReport, file_report
from meetings.models import Meeting, State
from meetings.scribe import RETRY_S, Scribe
from meetings.stream import REHEAR_S, Findings, MeetingStream
from meetings.voices import Memory

T = TypeVar("T")

log = structlog.get_logger(__name__)

ASSIGN_S = 0.5
READ_BLOCK_MS = 250
READ_COUNT = 600
"""Entries a reading: a minute of audio."""

WATCH_S = 1.0
CATCHING_UP_S = 20.0
"""Behind by more than the longest utterance: there is a backlog, and people are told."""

CAUGHT_UP_S = 10.0
FLUSH_AFTER_S = 90.0
"""A host that is away this long has finished the sentence."""

RETIRE_AFTER_S = 600.0
DRAIN_S = 8.0
"""How long a worker that was told to stop may go on captioning what it has read."""

commit = database_sync_to_async(transcript.commit, thread_sensitive=False)
set_language = database_sync_to_async(transcript.set_language, thread_sensitive=False)
add_missing = database_sync_to_async(transcript.add_missing, thread_sensitive=False)


@database_sync_to_async
def open_stream(meeting_id: str) -> MeetingStream:
    """Takes the meeting over. Raises NoSuchMeeting."""
    meeting = transcript.take_lease(meeting_id)
    return MeetingStream(meeting, _memory(meeting))


def _memory(meeting: Meeting) -> Memory:
    heard_again_from = meeting.cursor / SAMPLE_RATE - REHEAR_S
    return Memory(speakers.highest_number(meeting), tuple(speakers.labelled_since(meeting, heard_again_from)))


class Worker:
    """Captions any number of meetings with one engine."""

    def __init__(self, name: str, loaders: Loaders, broker: redis.asyncio.Redis) -> None:
        self._name = name
        self._load_engine = loaders.engine
        self._captioned_s = 0.0
        self._broker = broker
        self._audio = AudioLog(broker)
        self._leases = Leases(broker, name)
        self._streams: dict[str, MeetingStream] = {}
        self._device = ThreadPoolExecutor(1, thread_name_prefix="device")
        self._scribe = Scribe(broker)
        self._labelling = Labelling(loaders.listener, self._scribe)
        self._interpreting = Interpreting(loaders.translator, self._scribe, broker)
        self._ended: asyncio.Queue[MeetingStream] = asyncio.Queue()
        self._work = asyncio.Event()
        self._fresh = asyncio.Event()
        """There are finals to translate."""
        self._idle = asyncio.Event()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Asks for a clean end: no new meetings, caption what was read, give the meetings back."""
        self._stopping.set()

    async def run(self) -> None:
        """Works until `stop`; raises what the models raise when they cannot be loaded.

        Captions begin before the models for speakers and translations are there.
        """
        self._engine = await self._on_device(self._load_engine)
        log.info("worker_ready")
        loops = [
            asyncio.create_task(self._repeat(step, pause))
            for step, pause in (
                (self._renew, RENEW_S),
                (self._assign, ASSIGN_S),
                (self._read, 0.0),
                (self._caption, 0.0),
                (self._label, 0.0),
                (self._translate, 0.0),
                (self._close, 0.0),
                (self._watch, WATCH_S),
            )
        ]
        stopped = asyncio.create_task(self._stopping.wait())
        await asyncio.wait([stopped, *loops], return_when=asyncio.FIRST_COMPLETED)
        if stopped.done():
            await self._drain()
        for task in (stopped, *loops):
            task.cancel()
        results = await asyncio.gather(*loops, return_exceptions=True)
        await self._give_back()
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
                raise result

    # -- which meetings ----------------------------------------------------------------------------------------------

    async def _assign(self) -> None:
        """Takes every active meeting that no living worker holds."""
        if self._stopping.is_set():
            return
        for meeting_id in await self._audio.active():
            if meeting_id not in self._streams and await self._leases.acquire(meeting_id):
                await self._open(meeting_id)

    async def _open(self, meeting_id: str) -> None:
        try:
            stream = await open_stream(meeting_id)
        except transcript.NoSuchMeeting:
            await self._audio.forget(meeting_id)
            await self._leases.release(meeting_id)
            return
        self._streams[meeting_id] = stream
        log.info("meeting_taken", meeting=meeting_id, cursor_s=stream.committed / SAMPLE_RATE, epoch=stream.lease.epoch)

    async def _renew(self) -> None:
        for meeting_id in await self._leases.renew(list(self._streams)):
            self._drop(meeting_id, "lease_expired")

    def _drop(self, meeting_id: str, reason: str) -> None:
        if self._streams.pop(meeting_id, None) is not None:
            log.info("meeting_dropped", meeting=meeting_id, reason=reason)

    async def _give_back(self) -> None:
        try:
            for meeting_id in list(self._streams):
                await self._leases.release(meeting_id)
                self._drop(meeting_id, "worker_stops")
            await self._leases.sign_off()
        except (RedisError, OSError) as error:
            log.warning("leases_left_to_expire", error=str(error))

    # -- audio in ----------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        after = {stream.meeting_id: stream.last_read for stream in self._streams.values() if stream.wants_more}
        if not after:
            await asyncio.sleep(READ_BLOCK_MS / 1000)
            return
        for meeting_id, entries in (await self._audio.read(after, block_ms=READ_BLOCK_MS, count=READ_COUNT)).items():
            stream = self._streams.get(meeting_id)
            if stream is not None and stream.last_read == after[meeting_id]:
                stream.read(entries)
                self._work.set()

    # -- captions out ------------------------------------------------------------------------------------------------

    async def _caption(self) -> None:
        """One turn: what was read is heard and decoded in the device's thread, then stored, then told."""
        await self._work.wait()
        self._work.clear()
        streams = dict(self._streams)
        found = await self._on_device(lambda: self._turn(streams))
        for meeting_id, findings in found.items():
            if findings and self._streams.get(meeting_id) is streams[meeting_id]:
                await self._settle_or_drop(streams[meeting_id], findings)
        if any(found.values()) or any(stream.has_work for stream in streams.values()):
            self._work.set()
        else:
            self._idle.set()

    def _turn(self, streams: dict[str, MeetingStream]) -> dict[str, Findings]:
        found = {meeting_id: Findings() for meeting_id in streams}
        for meeting_id, stream in streams.items():
            stream.take_in(found[meeting_id])
        for meeting_id, heard in self._engine.step({key: stream.session for key, stream in streams.items()}).items():
            found[meeting_id].add(heard)
        for meeting_id, stream in streams.items():
            if found[meeting_id].progress is None:
                found[meeting_id].progress = stream.session.progress()
        return found

    async def _settle_or_drop(self, stream: MeetingStream, findings: Findings) -> None:
        """A meeting that cannot be settled is read again from its cursor by its next holder; the others go on."""
        try:
            await self._settle(stream, findings)
        except transcript.LeaseLost:
            self._drop(stream.meeting_id, "fenced_off")
        except (RedisError, OSError) as error:
            log.warning("broker_unreachable", step="settle", error=str(error))
            self._drop(stream.meeting_id, "broker_unreachable")

    async def _settle(self, stream: MeetingStream, findings: Findings) -> None:
        await self._store(stream, findings)
        ended = any(mark.mark == "end" for mark in findings.marks)
        if findings.spoken and not ended:
            await self._scribe.move(stream, State.LIVE)
        for mark in findings.marks:
            await self._obey(stream, mark)

    async def _store(self, stream: MeetingStream, findings: Findings) -> None:
        """Commits, tells, then forgets: in this order, so that a crash repeats work and never loses any."""
        hints: list[events.Bell | events.Passing] = []
        if findings.finals or findings.progress:
            batch = transcript.Batch(stream.lease, findings.finals, findings.progress)
            seq = await self._scribe.insist(stream, lambda: commit(batch))
            hints.append(events.Bell(seq))
        if findings.missing:
            await self._scribe.insist(stream, lambda: add_missing(stream.meeting_id, findings.missing / SAMPLE_RATE))
        hints += [events.Passing(events.partial(partial)) for partial in findings.partials]
        await self._scribe.tell(stream, hints)
        if findings.finals:
            stream.awaits_labels = stream.awaits_translation = True
            self._fresh.set()
        await self._tell_language(stream, findings)
        if findings.progress:
            await self._forget(stream, findings.progress)

    async def _tell_language(self, stream: MeetingStream, findings: Findings) -> None:
        """Lets the host know when another language is heard than the one that is set."""
        for heard in findings.languages:
            stream.doubt.take(heard)
        detected = stream.doubt.language or ""
        if detected != stream.told_language:
            stream.told_language = detected
            await self._audio.report_language(stream.meeting_id, detected)

    async def _forget(self, stream: MeetingStream, progress: Progress) -> None:
        """Keeps the recording if it is wanted, then trims the log behind what is captioned."""
        self._captioned_s += max(0, progress.position - stream.committed) / SAMPLE_RATE
        if stream.keep_recording:
            kept = stream.unrecorded(stream.committed, progress.position)
            await asyncio.to_thread(recordings.write, stream.meeting_id, kept)
        stream.committed = progress.position
        before = stream.forgettable(progress)
        if before is not None:
            await self._audio.trim(stream.meeting_id, before)
        await self._audio.report(stream.meeting_id, captioned=progress.position, phase=stream.phase)

    async def _obey(self, stream: MeetingStream, mark: Entry) -> None:
        match mark.mark:
            case "pause":
                await self._scribe.move(stream, State.PAUSED)
            case "resume":
                await self._scribe.move(stream, State.LIVE)
            case "language":
                await self._scribe.insist(stream, lambda: set_language(stream.meeting_id, mark.value))
            case "end":
                self._ended.put_nowait(stream)

    async def _close(self) -> None:
        """A meeting that is captioned to its end: who spoke and the translations, then it is over."""
        stream = await self._ended.get()
        try:
            await self._end(stream)
        except (RedisError, OSError) as error:
            log.warning("broker_unreachable", step="end", error=str(error))
            self._drop(stream.meeting_id, "broker_unreachable")
        finally:
            self._ended.task_done()

    async def _end(self, stream: MeetingStream) -> None:
        """The log goes last: whatever dies before that, the next worker finds the end there again."""
        if self._streams.get(stream.meeting_id) is not stream:
            return
        if stream.keep_recording:
            await asyncio.to_thread(recordings.write, stream.meeting_id, stream.unrecorded(0, stream.session.received))
            await asyncio.to_thread(recordings.finish, stream.meeting_id)
        await self._labelling.finish(stream)
        await self._interpreting.finish(stream)
        await self._scribe.move(stream, State.ENDED)
        await self._audio.forget(stream.meeting_id)
        await self._leases.release(stream.meeting_id)
        self._drop(stream.meeting_id, "ended")

    # -- speakers and languages --------------------------------------------------------------------------------------

    async def _label(self) -> None:
        await self._labelling.turn(self._streams)

    async def _translate(self) -> None:
        """Goes on as long as there is something, then waits for the next final, or to be asked for a language."""
        if not await self._interpreting.turn(self._streams):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._fresh.wait(), WATCH_S)
            self._fresh.clear()

    # -- watching ----------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        worst = 0.0
        await self._interpreting.look(self._streams)
        for stream in list(self._streams.values()):
            state = await self._audio.state(stream.meeting_id)
            behind_s = max(0, state.next_sample - stream.session.position) / SAMPLE_RATE
            worst = max(worst, behind_s)
            await self._tell_lag(stream, behind_s)
            await self._mind_absence(stream)
        await file_report(self._broker, self._name, self._report(worst))

    def _report(self, behind_s: float) -> WorkerReport:
        return WorkerReport(
            meetings=len(self._streams),
            behind_s=behind_s,
            captioned_s=self._captioned_s,
            compute_s=self._engine.timings.compute_s + self._labelling.seconds + self._interpreting.seconds,
            stage_s={
                **{stage: s for stage, s in asdict(self._engine.stages).items() if stage != "audio"},
                "speakers": self._labelling.seconds,
                "translation": self._interpreting.seconds,
            },
        )

    async def _tell_lag(self, stream: MeetingStream, behind_s: float) -> None:
        if stream.phase == "degraded":
            return
        is_behind = behind_s > (CAUGHT_UP_S if stream.phase == "catching_up" else CATCHING_UP_S)
        await self._scribe.tell_phase(stream, "catching_up" if is_behind else "", behind_s=behind_s)

    async def _mind_absence(self, stream: MeetingStream) -> None:
        absent_s = time.monotonic() - stream.heard_at
        if absent_s > RETIRE_AFTER_S and not stream.has_work:
            await self._audio.retire(stream.meeting_id)
            await self._leases.release(stream.meeting_id)
            self._drop(stream.meeting_id, "idle")
        elif absent_s > FLUSH_AFTER_S and stream.session.received > stream.flushed:
            stream.flushed = stream.session.received
            await self._audio.mark(stream.meeting_id, "flush")

    # -- plumbing ----------------------------------------------------------------------------------------------------

    async def _on_device(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._device, work)

    async def _repeat(self, step: Callable[[], Awaitable[None]], pause_s: float) -> None:
        """Does `step` for ever; a broker that is away is waited for, everything else ends the worker."""
        while True:
            try:
                await step()
            except (RedisError, OSError) as error:
                log.warning("broker_unreachable", step=step.__name__, error=str(error))
                self._work.set()
                await asyncio.sleep(RETRY_S)
            await asyncio.sleep(pause_s)

    async def _drain(self) -> None:
        """Captions what was read before the stop, as far as time goes; the rest is in the log for the next worker."""
        self._idle.clear()
        self._work.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._settled(), DRAIN_S)

    async def _settled(self) -> None:
        await self._idle.wait()
        await self._ended.join()
