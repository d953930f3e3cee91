"""An inference worker: take meetings, read their audio logs, caption them, store and publish the results.

The event loop reads, stores and publishes. One thread each owns the models for captions (`transcribe`), speakers
(`diarize`) and translation (`translate`). Durable first, live second: finals and cursor are committed in one
transaction before they are published, and the log is trimmed after that (`commit`). After a crash at any point, the
next worker resumes at the cursor and finds the same captions.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from typing import TypeVar

import redis.asyncio
import structlog
from django.conf import settings
from redis.exceptions import RedisError

from meetings import metrics, supervise
from meetings.broker.audio_log import AudioLog
from meetings.broker.leases import RENEW_S
from meetings.broker.pool_report import pool_report
from meetings.broker.worker_reports import WorkerReport, file_report
from meetings.device import watchdog
from meetings.device.engines import Loaders
from meetings.models import Stage
from meetings.worker.assignment import Assignments
from meetings.worker.bridge import SwapBridge
from meetings.worker.commit import CommitStep
from meetings.worker.diarize import DiarizeStep
from meetings.worker.finalize import FinalizeStep
from meetings.worker.isolation import FATAL, Isolation
from meetings.worker.jobs import Jobs
from meetings.worker.monitor import Monitor
from meetings.worker.operator_commands import OperatorCommands
from meetings.worker.priority import Priority, spoken
from meetings.worker.publisher import Publisher
from meetings.worker.recording_scheduler import MOST_HELD
from meetings.worker.second_pass import SecondPassStep
from meetings.worker.stream import MeetingStream
from meetings.worker.summarize import SummarizeStep
from meetings.worker.transcribe import TranscribeStep
from meetings.worker.translate import TranslateStep
from meetings.worker.uploads import UploadStep

T = TypeVar("T")

log = structlog.get_logger(__name__)

ASSIGN_S = 0.5
READ_BLOCK_MS = 250
READ_COUNT = 600
"""Entries per read: a minute of audio."""

YIELD_S = 0.05
"""How long recordings wait before their priority is checked again."""

WATCH_S = 1.0
WORKER_DRAIN_S = 8.0
"""How long a stopping worker may go on captioning what it has read."""


class Worker:
    """Caption any number of meetings with one engine."""

    def __init__(
        self,
        name: str,
        loaders: Loaders,
        broker: redis.asyncio.Redis,
        *,
        blocking: redis.asyncio.Redis | None = None,
    ) -> None:
        """`blocking` is the client for blocking broker calls; it defaults to `broker`."""
        self._name = name
        self._broker = broker
        self._blocking = blocking or broker
        self._audio = AudioLog(broker, blocking=self._blocking)
        self._assignments = Assignments(name, broker)
        self._streams = self._assignments.streams
        self._is_another_broker = False
        """Whether the broker may have been replaced by one with fewer entries."""
        self._device = ThreadPoolExecutor(1, thread_name_prefix="device")
        self._publisher = Publisher(broker, on_outage=self._note_outage)
        self._isolation = Isolation(self._assignments, self._publisher, broker)
        self._monitor = Monitor(broker, self._publisher, self._assignments)
        self._loaders = loaders
        self._work = asyncio.Event()
        self._diarize_priority = Priority()
        self._fresh = asyncio.Event()
        """Set when there are finals to translate."""
        self._taken = asyncio.Event()
        """Set when there is an upload to acquire."""
        self._idle = asyncio.Event()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Request a clean stop: take no new meetings, caption what was read, release the meetings."""
        self._stopping.set()

    async def run(self) -> None:
        """Run until `stop`. Raises what the models raise when they cannot be loaded.

        Captions start before the models for speakers and translation are loaded.
        """
        await self._load()
        log.info("worker_ready", models=self._pool.plan.sentence)
        loops = [
            supervise.start(name, step, pause_s=pause, fatal=FATAL, on_error=self._note_error)
            for name, step, pause in (
                ("renew", self._renew, RENEW_S),
                ("assign", self._assign, 0.0),
                ("read", self._read, 0.0),
                ("caption", self._caption, 0.0),
                ("label", self._label, 0.0),
                ("translate", self._translate, 0.0),
                ("summarise", self._summarise, WATCH_S),
                *[("close", self._finalize_step.turn, 0.0)] * MOST_HELD,
                ("ingest", self._ingest, 0.0),
                ("second pass", self._read_again, 0.0),
                ("listen for uploads", self._upload_step.listen, 0.0),
                *self._jobs.loops(),
                ("watch", self._watch, WATCH_S),
                ("obey", self._obey_operators, 0.0),
            )
        ]
        stopped = asyncio.create_task(self._stopping.wait())
        with watchdog.watched("event loop", settings.ENVIRONMENT.hang_limit_s) as beat:
            loops.append(asyncio.create_task(_beat(beat)))
            await asyncio.wait([stopped, *loops], return_when=asyncio.FIRST_COMPLETED)
            self._summarize_step.stop()
            if stopped.done():
                await self._drain()
            for task in (stopped, *loops):
                task.cancel()
            results = await asyncio.gather(*loops, return_exceptions=True)
            await self._upload_step.close()
            await self._second_pass_step.close()
        failed = [result for result in results if isinstance(result, FATAL)]
        if failed:
            await self._assignments.abandon()
            raise failed[0]
        await self._assignments.give_back()

    async def _load(self) -> None:
        """Load the models, and create the steps that use them."""
        assignments, publisher, audio = self._assignments, self._publisher, self._audio
        self._pool = pool = await self._on_device(self._loaders.pool)
        swap_bridge = SwapBridge(self._loaders.bridge)
        self._transcribe_step = await self._on_device(lambda: TranscribeStep(pool, swap_bridge))
        isolation = self._isolation
        self._diarize_step = DiarizeStep(pool, publisher, isolation)
        self._translate_step = TranslateStep(pool, publisher, isolation, self._broker)
        self._upload_step = UploadStep(
            self._name,
            self._broker,
            places=self._transcribe_step.places,
            unheard_s=self._diarize_step.unheard_s,
            on_taken=self._taken.set,
        )
        places = self._transcribe_step.places
        self._second_pass_step = SecondPassStep(pool, self._on_device, places=places)
        self._jobs = Jobs(self._name, self._broker)
        self._summarize_step = SummarizeStep(
            self._name,
            pool,
            publisher,
            swap_bridge,
            is_warm=self._loaders.is_warm,
            is_unpacking=self._loaders.is_summarizer_unpacking,
        )
        self._finalize_step = FinalizeStep(
            assignments, publisher, audio, isolation, self._diarize_step, self._translate_step, self._summarize_step
        )
        self._commit_step = CommitStep(publisher, audio, on_finals=self._fresh.set, on_end=self._finalize_step.add)
        self._operator_commands = OperatorCommands(self._name, self._blocking, pool, self._summarize_step, self._report)
        # Retry stages that another version set aside. If the database is away, the next start does it.
        await supervise.contained(self._isolation.try_again_what_other_code_set_aside)

    async def _renew(self) -> None:
        await self._assignments.renew(is_making_progress=watchdog.watchdog.longest_s() < watchdog.NO_PROGRESS_S)

    async def _assign(self) -> None:
        """Take meetings, and look again soon, or at once when an upload was taken."""
        self._taken.clear()
        if not self._stopping.is_set():
            await self._assignments.assign(self._isolation.admit)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._taken.wait(), ASSIGN_S)

    # -- audio in, captions out --------------------------------------------------------------------------------------

    async def _read(self) -> None:
        if self._is_another_broker:
            await self._assignments.recheck()
            self._is_another_broker = False
        after = {stream.meeting_id: stream.last_read for stream in self._streams.values() if stream.wants_more}
        if not after:
            await asyncio.sleep(READ_BLOCK_MS / 1000)
            return
        try:
            found = await self._audio.read(after, block_ms=READ_BLOCK_MS, count=READ_COUNT)
        except RedisError:
            self._is_another_broker = True
            raise
        for meeting_id, entries in found.items():
            stream = self._streams.get(meeting_id)
            if stream is not None and stream.last_read == after[meeting_id]:
                stream.read(entries)
                self._work.set()

    async def _caption(self) -> None:
        """Run one turn: decode in the device's thread what was read, then store it, then publish it."""
        await self._work.wait()
        self._work.clear()
        streams = dict(self._streams)
        trusted = {key: stream for key, stream in streams.items() if not stream.is_suspect}
        found_any = await self._turn(trusted)
        for key, stream in streams.items():
            if stream.is_suspect and stream.has_work:
                async with self._isolation.trial(stream, Stage.CAPTIONS):
                    found_any |= await self._turn({key: stream})
        if found_any or any(stream.has_work for stream in spoken(streams).values()):
            self._work.set()
            return
        self._idle.set()
        if any(stream.has_work for stream in streams.values()):  # recordings that have to wait
            asyncio.get_running_loop().call_later(YIELD_S, self._work.set)

    async def _turn(self, streams: dict[str, MeetingStream]) -> bool:
        """Caption these meetings; return whether there were results. Errors are counted against single meetings."""
        done = await supervise.contained(
            lambda: self._on_device(lambda: self._transcribe_step.turn(streams)), fatal=FATAL
        )
        if done.value is None:
            # The turn's audio is lost with it: read all of these meetings again from their cursors.
            for meeting_id in streams:
                self._assignments.drop(meeting_id, "turn_failed", is_suspect=True)
            raise done.error or AssertionError
        for meeting_id, error in done.value.failed.items():
            await self._isolation.failed(streams[meeting_id], Stage.CAPTIONS, error)
        for meeting_id, result in done.value.found.items():
            stream = streams[meeting_id]
            if result and self._assignments.holds(stream):
                await self._isolation.guard(stream, Stage.CAPTIONS, partial(self._commit_step.store, stream, result))
                await self._isolation.progressed(stream)
        return any(done.value.found.values()) or bool(done.value.failed)

    # -- speakers, languages, summaries, recordings ------------------------------------------------------------------

    async def _label(self) -> None:
        await self._diarize_step.turn(self._diarize_priority.admitted(self._streams))

    async def _translate(self) -> None:
        """Translate until nothing is left, then wait for the next final or a newly selected language."""
        if not await self._translate_step.turn(self._streams):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._fresh.wait(), WATCH_S)
            self._fresh.clear()

    async def _summarise(self) -> None:
        await self._summarize_step.turn(self._streams)

    async def _ingest(self) -> None:
        """Feed uploads, but not while draining: their audio would have to be captioned first."""
        if self._stopping.is_set():
            await asyncio.sleep(ASSIGN_S)
        else:
            await self._upload_step.turn(self._streams)

    async def _read_again(self) -> None:
        if self._stopping.is_set():
            await asyncio.sleep(ASSIGN_S)
        else:
            await self._second_pass_step.turn(self._streams)

    # -- monitoring ----------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        await self._assignments.recheck()
        await self._translate_step.look(self._streams)
        await self._monitor.turn(spoken(self._streams))
        await self._report()

    async def _obey_operators(self) -> None:
        await self._operator_commands.turn(self._streams)

    async def _report(self) -> None:
        engine = self._transcribe_step.engine
        report = WorkerReport(
            meetings=len(self._streams),
            behind_s=self._monitor.behind_s,
            captioned_s=self._commit_step.captioned_s,
            compute_s=engine.timings.compute_s + self._diarize_step.seconds + self._translate_step.seconds,
            stage_s={
                **{stage: s for stage, s in asdict(engine.stages).items() if stage != "audio"},
                "speakers": self._diarize_step.seconds,
                "translation": self._translate_step.seconds,
            },
            loop_errors=metrics.loop_error_counts(),
            residency=pool_report(self._pool),
        )
        await file_report(self._broker, self._name, report)

    # -- helpers -------------------------------------------------------------------------------------------------------

    async def _on_device(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._device, work)

    def _note_error(self, error: BaseException) -> None:
        outage = supervise.outage_of(error)
        if outage is not None:
            self._note_outage(outage)
        self._work.set()  # after any error there may be audio to caption

    def _note_outage(self, outage: supervise.Outage) -> None:
        if outage is supervise.Outage.DATABASE:
            self._monitor.is_database_away = True

    async def _drain(self) -> None:
        """Caption what was read before the stop, up to DRAIN_S. The rest is in the log for the next worker."""
        self._idle.clear()
        self._work.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._settled(), WORKER_DRAIN_S)

    async def _settled(self) -> None:
        await self._idle.wait()
        await self._finalize_step.all_done()


async def _beat(block: int) -> None:
    """Show the watchdog that the event loop is running."""
    while True:
        watchdog.watchdog.restart(block)
        await asyncio.sleep(RENEW_S)
