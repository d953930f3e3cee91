"""An inference worker: takes meetings, reads their audio logs, has them captioned, stores, tells.

The event loop does the reading, storing and telling; one thread of its own owns the models (`inference.engine.Engine`).
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
from django.db import DatabaseError
from redis.exceptions import RedisError

from inference.audio import SAMPLE_RATE
from inference.engine import Engine
from inference.types import Progress
from meetings import events, recordings, transcript
from meetings.audiolog import AudioLog, Entry
from meetings.leases import RENEW_S, Leases
from meetings.metrics import WorkerReport, file_report
from meetings.models import State
from meetings.stream import Findings, MeetingStream, Phase

T = TypeVar("T")

log = structlog.get_logger(__name__)

ASSIGN_S = 0.5
READ_BLOCK_MS = 250
READ_COUNT = 600
"""Entries a reading: a minute of audio."""

RETRY_S = 0.5
WATCH_S = 1.0
CATCHING_UP_S = 20.0
"""Behind by more than the longest utterance: there is a backlog, and people are told."""

CAUGHT_UP_S = 10.0
FLUSH_AFTER_S = 90.0
"""A host that is away this long has finished the sentence."""

RETIRE_AFTER_S = 600.0
DRAIN_S = 8.0
"""How long a worker that was told to stop may go on captioning what it has read."""

take_lease = database_sync_to_async(transcript.take_lease, thread_sensitive=False)
commit = database_sync_to_async(transcript.commit, thread_sensitive=False)
set_state = database_sync_to_async(transcript.set_state, thread_sensitive=False)
set_language = database_sync_to_async(transcript.set_language, thread_sensitive=False)
add_missing = database_sync_to_async(transcript.add_missing, thread_sensitive=False)


class Worker:
    """Captions any number of meetings with one engine."""

    def __init__(self, name: str, load_engine: Callable[[], Engine], broker: redis.asyncio.Redis) -> None:
        self._name = name
        self._load_engine = load_engine
        self._captioned_s = 0.0
        self._broker = broker
        self._audio = AudioLog(broker)
        self._leases = Leases(broker, name)
        self._streams: dict[str, MeetingStream] = {}
        self._device = ThreadPoolExecutor(1, thread_name_prefix="device")
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Asks for a clean end: no new meetings, caption what was read, give the meetings back."""
        self._stopping.set()

    async def run(self) -> None:
        """Works until `stop`; raises what the models raise when they cannot be loaded."""
        self._engine = await self._on_device(self._load_engine)
        log.info("worker_ready")
        loops = [
            asyncio.create_task(self._repeat(step, pause))
            for step, pause in (
                (self._renew, RENEW_S),
                (self._assign, ASSIGN_S),
                (self._read, 0.0),
                (self._caption, 0.0),
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
            meeting = await take_lease(meeting_id)
        except transcript.NoSuchMeeting:
            await self._audio.forget(meeting_id)
            await self._leases.release(meeting_id)
            return
        self._streams[meeting_id] = MeetingStream(meeting)
        log.info("meeting_taken", meeting=meeting_id, cursor_s=meeting.cursor / SAMPLE_RATE, epoch=meeting.lease_epoch)

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
            await self._move(stream, State.LIVE)
        for mark in findings.marks:
            await self._obey(stream, mark)

    async def _store(self, stream: MeetingStream, findings: Findings) -> None:
        """Commits, tells, then forgets: in this order, so that a crash repeats work and never loses any."""
        hints: list[events.Bell | events.Passing] = []
        if findings.finals or findings.progress:
            batch = transcript.Batch(stream.lease, findings.finals, findings.progress)
            seq = await self._insist(stream, lambda: commit(batch))
            hints.append(events.Bell(seq))
        if findings.missing:
            await self._insist(stream, lambda: add_missing(stream.meeting_id, findings.missing / SAMPLE_RATE))
        hints += [events.Passing(events.partial(partial)) for partial in findings.partials]
        if hints:
            await self._broker.publish(events.events_channel(stream.meeting_id), events.pack(hints))
        if findings.progress:
            await self._forget(stream, findings.progress)

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
                await self._move(stream, State.PAUSED)
            case "resume":
                await self._move(stream, State.LIVE)
            case "language":
                await self._insist(stream, lambda: set_language(stream.meeting_id, mark.value))
            case "end":
                await self._end(stream)

    async def _move(self, stream: MeetingStream, state: State) -> None:
        """Changes the meeting's state, if it does change, and says so."""
        if stream.state is state:
            return
        stream.state = state
        await self._insist(stream, lambda: set_state(stream.meeting_id, state))
        await self._notify(stream, "paused" if state is State.PAUSED else "ended" if state is State.ENDED else "live")

    async def _end(self, stream: MeetingStream) -> None:
        """Everything before the end is captioned: close the meeting and forget its audio."""
        if stream.keep_recording:
            await asyncio.to_thread(recordings.write, stream.meeting_id, stream.unrecorded(0, stream.session.received))
            await asyncio.to_thread(recordings.finish, stream.meeting_id)
        await self._move(stream, State.ENDED)
        await self._audio.forget(stream.meeting_id)
        await self._leases.release(stream.meeting_id)
        self._drop(stream.meeting_id, "ended")

    async def _notify(self, stream: MeetingStream, state: events.NoticeState, *, behind_s: float = 0.0) -> None:
        hint = events.Passing(events.notice(state, behind_s=behind_s))
        await self._broker.publish(events.events_channel(stream.meeting_id), events.pack([hint]))

    # -- watching ----------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        worst = 0.0
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
            compute_s=self._engine.timings.compute_s,
            stage_s={stage: s for stage, s in asdict(self._engine.stages).items() if stage != "audio"},
        )

    async def _tell_lag(self, stream: MeetingStream, behind_s: float) -> None:
        if stream.phase == "degraded":
            return
        is_behind = behind_s > (CAUGHT_UP_S if stream.phase == "catching_up" else CATCHING_UP_S)
        await self._tell_phase(stream, "catching_up" if is_behind else "", behind_s=behind_s)

    async def _tell_phase(self, stream: MeetingStream, phase: Phase, *, behind_s: float = 0.0) -> None:
        """Tells the room and late joiners; while the worker catches up, the lag is told each time."""
        if phase == stream.phase and phase != "catching_up":
            return
        stream.phase = phase
        await self._audio.report(stream.meeting_id, captioned=stream.committed, phase=phase)
        await self._notify(stream, phase or "live", behind_s=behind_s if phase else 0.0)

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

    async def _insist(self, stream: MeetingStream, write: Callable[[], Awaitable[T]]) -> T:
        """Repeats a database write until it succeeds: the audio is safe in the log meanwhile."""
        while True:
            try:
                result = await write()
            except DatabaseError as error:
                log.error("database_refuses", meeting=stream.meeting_id, error=str(error))
                await self._tell_phase(stream, "degraded")
                await asyncio.sleep(RETRY_S)
            else:
                if stream.phase == "degraded":
                    await self._tell_phase(stream, "")
                return result

    async def _drain(self) -> None:
        """Captions what was read before the stop, as far as time goes; the rest is in the log for the next worker."""
        self._idle.clear()
        self._work.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), DRAIN_S)
