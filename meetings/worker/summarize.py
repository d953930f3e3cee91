"""Write summaries: swap the caption models out when one is due, write it, and swap them back in.

Nothing is lost meanwhile: audio goes on into the log and is captioned afterwards. Viewers are notified first, with the
duration of earlier pauses. Meetings that are due at the same time share one swap.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import structlog

from inference.models.residency.drain_lock import ModelInUse, SwapCancelled
from inference.models.residency.history import SwapRecord
from inference.models.residency.pool import ModelPool, PoolState, SwapFailed, SwapUnderWay
from inference.models.residency.transfers import MOVE_ERRORS
from inference.summarization.summary import (
    Summarizer,
    Summary,
    SummaryCancelled,
    SummaryRequest,
)
from meetings import supervise
from meetings.device import watchdog
from meetings.device.summarization import SUMMARY
from meetings.models import State, SummaryFailure
from meetings.queries import in_database
from meetings.store import summaries, summary_attempts, summary_status, swaps, transcript
from meetings.store.summary_attempts import Due
from meetings.worker import model_sleep
from meetings.worker.bridge import SwapBridge
from meetings.worker.isolation import FATAL
from meetings.worker.publisher import Publisher
from meetings.worker.stream import MeetingStream

T = TypeVar("T")

log = structlog.get_logger(__name__)

PAUSE_WAIT_S = 8.0
"""How long a summary waits for a pause in speech."""

PAUSE_POLL_S = 0.1
SUMMARY_DEADLINE_S = 90.0
"""Time limit for one meeting's summary. The watchdog ends a summariser that ignores it."""

DWELL_S = 20.0
"""Minimum time between two swaps, to prevent thrashing."""

UNPACKING_S = 5.0
"""Until a summary looks again whether its model is unpacked."""

REFUSED_S = 60.0
"""Backoff where there is no summariser."""

BROKEN_OFF_S = 300.0
"""Backoff after an operator has cancelled a summary."""

FIRST_EXPECTED_S = 20.0
"""Duration announced to viewers before anything was measured."""


class WritingFailed(RuntimeError):
    """The summariser ran out of memory while writing, or refused its input."""


PUT_OFF = (SwapFailed, ModelInUse, SwapUnderWay, WritingFailed)
"""Errors after which captions go on and the summary stays due. CaptionsLost instead ends the process."""


class SummarizeStep:
    """Summarize a worker's meetings. Without a summariser in the pool captions go on without summaries."""

    def __init__(
        self,
        worker: str,
        pool: ModelPool,
        publisher: Publisher,
        bridge: SwapBridge,
        *,
        is_warm: bool = False,
        is_unpacking: Callable[[], bool] = lambda: False,
    ) -> None:
        """`is_warm`: load the summariser at the start. `is_unpacking`: summaries wait while it returns true."""
        self._is_unpacking = is_unpacking
        self._worker = worker
        self._pool = pool
        self._publisher = publisher
        self._bridge = bridge
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="summaries")
        self._stopping = threading.Event()
        self._broken_off = threading.Event()
        """Whether an operator has cancelled the current summaries."""
        self._at_rest = asyncio.Event()
        self._at_rest.set()
        self._has_summarizer = any(model.name == SUMMARY for model in pool.placements())
        self._warms_up = is_warm and self._has_summarizer
        self._rests_until = 0.0
        """The earliest time of the next swap."""

    async def is_wanted(self, stream: MeetingStream) -> bool:
        """Return whether an ended meeting waits for its last summary."""
        if not self._has_summarizer or self._stopping.is_set():
            return False
        return await in_database(summary_attempts.wanted_after_end, stream.meeting_id)

    def stop(self) -> None:
        """Cancel the summary being written. It stays due."""
        self._stopping.set()
        self._pool.cancel()

    async def break_off(self) -> bool:
        """Cancel and put off the current summaries, and wait for captions to be back. Return False if none."""
        if self._at_rest.is_set():
            return False
        self._broken_off.set()
        self._pool.cancel()
        await self._at_rest.wait()
        return True

    async def turn(self, streams: Mapping[str, MeetingStream]) -> None:
        """Write the summaries that are due, but not before all deferred models have joined the pool."""
        if time.monotonic() < self._rests_until or not self._pool.is_complete or self._stopping.is_set():
            return
        is_unpacking = self._has_summarizer and await asyncio.to_thread(self._is_unpacking)
        if self._warms_up and not is_unpacking:
            self._warms_up = False
            await self._prepare()
        wanted = await in_database(summary_attempts.due, list(streams))
        if is_unpacking:
            await self._defer(wanted, SummaryFailure.UNPACKING, least_s=UNPACKING_S)
            return
        if not self._has_summarizer:
            await self._refuse(wanted)
        elif wanted:
            await self._sum_up(wanted, streams)

    async def _refuse(self, wanted: Sequence[Due]) -> None:
        """Report to the hosts that there is no summariser."""
        absence = summary_status.failure_of_absence(self._pool.left_out.get(SUMMARY))
        await self._defer(wanted, absence, least_s=REFUSED_S)

    async def _defer(self, wanted: Sequence[Due], error: SummaryFailure, *, least_s: float) -> None:
        await in_database(summary_attempts.defer, [one.meeting_id for one in wanted], error, least_s=least_s)

    async def _sum_up(self, wanted: Sequence[Due], streams: Mapping[str, MeetingStream]) -> None:
        log.info("summary_due", meetings=len(wanted))
        self._broken_off.clear()
        self._at_rest.clear()
        try:
            await self._go(wanted, streams)
        finally:
            self._at_rest.set()

    async def _go(self, wanted: Sequence[Due], streams: Mapping[str, MeetingStream]) -> None:
        await in_database(summary_attempts.begin, [one.meeting_id for one in wanted])
        await self._prepare()
        # A load that starves the event loop costs leases: a meeting that was retaken has another stream.
        held = dict(streams)
        await self._wait_for_pause(held)
        await self._announce(held)
        try:
            await self._write_all([one for one in wanted if one.meeting_id in held], held)
        finally:
            await self._come_back(held)

    # -- viewers -------------------------------------------------------------------------------------------------------

    async def _wait_for_pause(self, streams: Mapping[str, MeetingStream]) -> None:
        """Wait for a pause in all meetings, up to PAUSE_WAIT_S."""
        deadline = time.monotonic() + PAUSE_WAIT_S
        while any(stream.is_speaking for stream in streams.values()):
            if time.monotonic() > deadline or self._is_cancelled():
                return
            await asyncio.sleep(PAUSE_POLL_S)

    async def _announce(self, streams: Mapping[str, MeetingStream]) -> None:
        expected_s = self._pool.expected_s() or FIRST_EXPECTED_S
        for stream in _live(streams):
            await self._publisher.set_phase(stream, "summarizing", expected_s=expected_s)

    async def _come_back(self, streams: Mapping[str, MeetingStream]) -> None:
        """Publish that captions catch up. From here on the monitor publishes the lag, and when they are live again."""
        self._rests_until = time.monotonic() + DWELL_S
        for stream in _live(streams):
            await self._publisher.set_phase(stream, "catching_up")

    async def _prepare(self) -> None:
        """Load the bridge and, if it fits, the summariser, while captions go on.

        Errors of the summariser are only logged here; the swap raises them again.
        """
        await self._in_thread(self._bridge.prepare)
        await self._in_thread(lambda: model_sleep.wake(self._pool))
        try:
            await self._in_thread(self._pool.prepare)
        except (SwapUnderWay, *MOVE_ERRORS) as error:
            log.warning("summariser_not_prepared", error=str(error))

    # -- models --------------------------------------------------------------------------------------------------------

    async def _write_all(self, wanted: Sequence[Due], streams: Mapping[str, MeetingStream]) -> None:
        left = {one.meeting_id for one in wanted}
        try:
            if self._is_cancelled():
                raise SummaryCancelled
            await self._swap(self._pool.swap_to_summarization)
            for one in wanted:
                await self._write_or_fail(one, streams[one.meeting_id])
                left.discard(one.meeting_id)
        except (SummaryCancelled, SwapCancelled):
            await self._leave(sorted(left))
        except PUT_OFF as error:
            for meeting_id in sorted(left):
                await self._fail(meeting_id, error)
        finally:
            if self._pool.state is PoolState.SUMMARIZATION:
                await self._swap(self._pool.swap_to_transcription)

    async def _write_or_fail(self, one: Due, stream: MeetingStream) -> None:
        """Write one meeting's summary. An error puts off that meeting only."""
        passing = (SummaryCancelled, SwapCancelled, *FATAL)
        written = await supervise.contained(lambda: self._write(one, stream), fatal=passing)
        if written.error is not None:
            await self._fail(one.meeting_id, written.error)

    async def _fail(self, meeting_id: str, error: Exception) -> None:
        log.warning("summary_put_off", meeting=meeting_id, error=str(error))
        await in_database(summary_attempts.fail, meeting_id, summary_status.failure_of(error))

    async def _leave(self, meeting_ids: Sequence[str]) -> None:
        """Make cancelled summaries due again at once, or with a delay if an operator cancelled them."""
        if self._broken_off.is_set():
            await in_database(summary_attempts.defer, meeting_ids, SummaryFailure.STOPPED, least_s=BROKEN_OFF_S)
        else:
            await in_database(summary_attempts.clear, meeting_ids)
        log.info("summary_cancelled", by_operator=self._broken_off.is_set())

    def _is_cancelled(self) -> bool:
        return self._stopping.is_set() or self._broken_off.is_set()

    async def _swap(self, verb: Callable[[], SwapRecord | None]) -> None:
        """Run one of the pool's two swaps, and store its record whether it failed or not."""
        before = self._pool.history.count
        try:
            await self._in_thread(verb)
        finally:
            for record in self._pool.history.since(before):
                await in_database(swaps.file_swap, self._worker, record)

    async def _write(self, one: Due, stream: MeetingStream) -> None:
        request = await in_database(summaries.next_request, one.meeting_id, one.from_s)
        if request is None:
            await in_database(summary_attempts.clear, [one.meeting_id])
            return
        started = time.perf_counter()
        written = await self._in_thread(lambda: self._summarize(request))
        try:
            await self._publisher.store_and_publish(stream, summaries.store, stream.lease, written)
        except transcript.LeaseLost:
            log.info("summary_comes_too_late", meeting=one.meeting_id)
        stream.awaits_translation = True
        log.info("summary_written", meeting=one.meeting_id, seconds=round(time.perf_counter() - started, 2))

    def _summarize(self, request: SummaryRequest) -> Summary:
        with self._pool.use(SUMMARY) as model, watchdog.writing():
            summarizer: Summarizer = model
            try:
                return summarizer.summarize(request, within_s=SUMMARY_DEADLINE_S, is_cancelled=self._is_cancelled)
            except SummaryCancelled:
                raise
            except (RuntimeError, MemoryError) as error:
                raise WritingFailed(str(error)) from error

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _live(streams: Mapping[str, MeetingStream]) -> list[MeetingStream]:
    """Return the streams of meetings that have not ended."""
    return [stream for stream in streams.values() if stream.state is not State.ENDED]
