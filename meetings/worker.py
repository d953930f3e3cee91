"""An inference worker: takes meetings, reads their audio logs, has them captioned, stores, tells.

The event loop does the reading, storing and telling; one thread owns the models that write (`inference.engine.Engine`),
one those that tell speakers apart (`meetings.labelling`), one those that translate (`meetings.interpreting`).
Durable first, live second: finals and cursor are committed in one transaction before anybody is told, and the log is
trimmed after that. Whatever dies in between, the next worker resumes at the cursor and finds the same captions.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import TypeVar

import redis.asyncio
import structlog
from channels.db import database_sync_to_async
from redis.exceptions import RedisError

from inference.audio import SAMPLE_RATE
from inference.engine import Engine
from inference.residency.gate import ModelAsleep
from inference.types import CaptionEvent, Progress
from meetings import events, recordings, resting, transcript
from meetings.archiving import LOOK_S
from meetings.audiolog import AudioLog, Entry
from meetings.bridging import Bridging
from meetings.chores import Chores
from meetings.engines import Loaders
from meetings.holdings import Holdings
from meetings.ingesting import Ingesting
from meetings.interpreting import Interpreting
from meetings.labelling import Labelling
from meetings.leases import RENEW_S
from meetings.metrics import WorkerReport, file_report
from meetings.models import State
from meetings.obeying import Obeying
from meetings.precedence import Precedence, recorded, spoken
from meetings.recognizing import ASR
from meetings.residency import residency_of
from meetings.scribe import RETRY_S, Scribe
from meetings.stream import Findings, MeetingStream
from meetings.summarising import Summarising
from meetings.watching import Watching

T = TypeVar("T")

log = structlog.get_logger(__name__)

ASSIGN_S = 0.5
READ_BLOCK_MS = 250
READ_COUNT = 600
"""Entries a reading: a minute of audio."""

AWAY_S = 0.25
"""How long a turn waits for the models while a summary is written; audio is taken in between."""

BRIDGED_S = 0.05
"""The same, where provisional captions are written meanwhile."""

YIELD_S = 0.05
"""How long recordings wait before it is asked again whether it is their turn."""

WATCH_S = 1.0
DRAIN_S = 8.0
"""How long a worker that was told to stop may go on captioning what it has read."""

commit = database_sync_to_async(transcript.commit, thread_sensitive=False)
set_language = database_sync_to_async(transcript.set_language, thread_sensitive=False)
add_missing = database_sync_to_async(transcript.add_missing, thread_sensitive=False)


class Worker:
    """Captions any number of meetings with one engine."""

    def __init__(self, name: str, loaders: Loaders, broker: redis.asyncio.Redis) -> None:
        self._name = name
        self._captioned_s = 0.0
        self._broker = broker
        self._audio = AudioLog(broker)
        self._holdings = Holdings(name, broker)
        self._streams = self._holdings.streams
        self._device = ThreadPoolExecutor(1, thread_name_prefix="device")
        self._scribe = Scribe(broker)
        self._watching = Watching(broker, self._scribe, self._holdings)
        self._loaders = loaders
        self._ended: asyncio.Queue[MeetingStream] = asyncio.Queue()
        self._work = asyncio.Event()
        self._precedence, self._voices_precedence = Precedence(), Precedence()
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
        self._pool = await self._on_device(self._loaders.pool)
        self._engine = await self._on_device(self._start_engine)
        self._labelling = Labelling(self._pool, self._scribe)
        self._interpreting = Interpreting(self._pool, self._scribe, self._broker)
        self._ingesting = Ingesting(self._name, self._broker, unheard_s=self._labelling.unheard_s)
        self._chores = Chores(self._name, self._broker)
        self._bridging = Bridging(self._loaders.bridge)
        self._summarising = Summarising(self._name, self._pool, self._scribe, self._bridging)
        self._obeying = Obeying(self._name, self._broker, self._pool, self._summarising, self._report)
        log.info("worker_ready", models=self._pool.plan.sentence)
        loops = [
            asyncio.create_task(self._repeat(step, pause))
            for step, pause in (
                (self._holdings.renew, RENEW_S),
                (self._assign, ASSIGN_S),
                (self._read, 0.0),
                (self._caption, 0.0),
                (self._label, 0.0),
                (self._translate, 0.0),
                (self._summarise, WATCH_S),
                (self._close, 0.0),
                (self._ingest, 0.0),
                (self._chores.turn, LOOK_S),
                (self._watch, WATCH_S),
                (self._obey_operators, 0.0),
            )
        ]
        stopped = asyncio.create_task(self._stopping.wait())
        await asyncio.wait([stopped, *loops], return_when=asyncio.FIRST_COMPLETED)
        self._summarising.stop()
        if stopped.done():
            await self._drain()
        for task in (stopped, *loops):
            task.cancel()
        results = await asyncio.gather(*loops, return_exceptions=True)
        await self._holdings.give_back()
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
                raise result

    def _start_engine(self) -> Engine:
        self._pool.start()
        with self._pool.use(ASR) as transcriber:
            return Engine(transcriber)

    async def _assign(self) -> None:
        if not self._stopping.is_set():
            await self._holdings.assign()

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
            if findings and self._holdings.holds(streams[meeting_id]):
                await self._settle_or_drop(streams[meeting_id], findings)
        if any(found.values()) or any(stream.has_work for stream in spoken(streams).values()):
            self._work.set()
            return
        self._idle.set()
        if any(stream.has_work for stream in streams.values()):  # recordings, whose turn it is not
            asyncio.get_running_loop().call_later(YIELD_S, self._work.set)

    def _turn(self, streams: dict[str, MeetingStream]) -> dict[str, Findings]:
        if any(stream.has_work for stream in streams.values()):
            resting.wake(self._pool)
        found = {meeting_id: Findings() for meeting_id in streams}
        for meeting_id, stream in streams.items():
            stream.take_in(found[meeting_id])
        for meeting_id, heard in self._decode(streams).items():
            found[meeting_id].add(heard)
        for meeting_id, stream in streams.items():
            if found[meeting_id].progress is None:
                found[meeting_id].progress = stream.session.progress()
        return found

    def _decode(self, streams: dict[str, MeetingStream]) -> dict[str, list[CaptionEvent]]:
        """One step of the engine, or of the bridge while the summariser has its turn."""
        try:
            with self._pool.use(ASR, wait_s=BRIDGED_S if self._bridging.is_ready else AWAY_S) as transcriber:
                self._engine.transcriber = transcriber
                self._bridging.end()
                return self._step(streams)
        except ModelAsleep:
            return self._bridging.turn(streams)

    def _step(self, streams: dict[str, MeetingStream]) -> dict[str, list[CaptionEvent]]:
        """People first; recordings while nothing of theirs is to be decoded, and one utterance at a time."""
        people = {key: stream.session for key, stream in spoken(streams).items()}
        heard = self._engine.step(people)
        waiting = {key: stream.session for key, stream in recorded(streams).items() if stream.session.backlog}
        if heard or not waiting or not self._precedence.admits_recordings(streams):
            return heard
        return self._engine.step(waiting, live=False, limit=1 if people else None)

    async def _settle_or_drop(self, stream: MeetingStream, findings: Findings) -> None:
        """A meeting that cannot be settled is read again from its cursor by its next holder; the others go on."""
        try:
            await self._settle(stream, findings)
        except transcript.LeaseLost:
            self._holdings.drop(stream.meeting_id, "fenced_off")
        except (RedisError, OSError) as error:
            log.warning("broker_unreachable", step="settle", error=str(error))
            self._holdings.drop(stream.meeting_id, "broker_unreachable")

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
        """A meeting that is captioned to its end: who spoke and the translations, then it is over, then its summary."""
        stream = await self._ended.get()
        try:
            if not self._holdings.holds(stream):
                return
            if stream.state is not State.ENDED:
                await self._end(stream)
            if await self._summarising.is_wanted(stream):
                await asyncio.sleep(ASSIGN_S)
                self._ended.put_nowait(stream)
            else:
                await self._forget_meeting(stream)
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

    async def _forget_meeting(self, stream: MeetingStream) -> None:
        """The log goes last: whatever dies before that, the next worker finds the end there again."""
        await self._interpreting.finish(stream)
        await self._audio.forget(stream.meeting_id)
        await self._holdings.let_go(stream.meeting_id, "ended")

    # -- speakers and languages --------------------------------------------------------------------------------------

    async def _label(self) -> None:
        await self._labelling.turn(self._voices_precedence.admitted(self._streams))

    async def _ingest(self) -> None:
        """Not while it drains: what is fed would have to be captioned first."""
        if self._stopping.is_set():
            await asyncio.sleep(ASSIGN_S)
        else:
            await self._ingesting.turn(self._streams)

    async def _summarise(self) -> None:
        await self._summarising.turn(self._streams)

    async def _translate(self) -> None:
        """Goes on as long as there is something, then waits for the next final, or to be asked for a language."""
        if not await self._interpreting.turn(self._streams):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._fresh.wait(), WATCH_S)
            self._fresh.clear()

    # -- watching ----------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        await self._interpreting.look(self._streams)
        await self._watching.turn(spoken(self._streams))
        await self._report()

    async def _obey_operators(self) -> None:
        await self._obeying.turn(self._streams)

    async def _report(self) -> None:
        report = WorkerReport(
            meetings=len(self._streams),
            behind_s=self._watching.behind_s,
            captioned_s=self._captioned_s,
            compute_s=self._engine.timings.compute_s + self._labelling.seconds + self._interpreting.seconds,
            stage_s={
                **{stage: s for stage, s in asdict(self._engine.stages).items() if stage != "audio"},
                "speakers": self._labelling.seconds,
                "translation": self._interpreting.seconds,
            },
            residency=residency_of(self._pool),
        )
        await file_report(self._broker, self._name, report)

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
