"""Contain a meeting's failures: count them in rows, and set a stage aside after three.

A worker that dies leaves no error. Therefore each meeting that it held is a suspect for the next worker, which
processes suspects one at a time and records each trial in the broker first. If the process dies, exactly one meeting is
to blame, and no other meeting is counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import redis.asyncio
import structlog

from inference.models.residency.drain_lock import ModelAsleep
from inference.models.residency.pool import CaptionsLost
from meetings import supervise
from meetings.broker.audio_log import AudioLog
from meetings.models import Stage
from meetings.queries import in_database
from meetings.store import stage_failures
from meetings.store.transcript import LeaseLost, NoSuchMeeting
from meetings.worker.assignment import Assignments, SetAside, TakenMeeting
from meetings.worker.publisher import Publisher
from meetings.worker.stream import MeetingStream

T = TypeVar("T")

log = structlog.get_logger(__name__)

TRIAL_KEPT_S = 86_400
RETAKEN_AFTER_S = (0.5, 3.0)
"""Delay before the same worker retakes a meeting whose captions failed. Other workers may take it at once."""

WORKER_DIED = "process_died"
"""Recorded instead of an error class."""


class DeviceFailed(RuntimeError):
    """The device or the model fails on any input; only a new process can help."""


class ModelFailed(RuntimeError):
    """A model other than the one for captions fails on any input. Captions go on without it."""


FATAL = (CaptionsLost, DeviceFailed)
"""Errors that end a worker."""

NOT_ITS_OWN = (ModelAsleep, ModelFailed)
"""Errors that are not the fault of the meeting being processed."""


def trial_key(meeting_id: str) -> str:
    return f"parlance:{{{meeting_id}}}:trial"


class Isolation:
    """Contain the failures of one worker's meetings. Runs in its event loop."""

    def __init__(self, assignments: Assignments, publisher: Publisher, broker: redis.asyncio.Redis) -> None:
        self._assignments = assignments
        self._publisher = publisher
        self._broker = broker
        self._audio = AudioLog(broker)
        self._one_trial = asyncio.Lock()

    async def guard(self, stream: MeetingStream, stage: Stage, work: Callable[[], Awaitable[T]]) -> T | None:
        """Return the result of `work`. On an error, count it against the meeting and return None.

        Errors in FATAL and NOT_ITS_OWN are raised.
        """
        done = await supervise.contained(work, fatal=FATAL + NOT_ITS_OWN)
        if done.error is not None:
            await self.failed(stream, stage, done.error)
        return done.value

    async def failed(self, stream: MeetingStream, stage: Stage, error: Exception) -> None:
        """Release the meeting if its captions failed, and count the error unless it is an outage or a lost lease."""
        stream.failures += 1
        if isinstance(error, (LeaseLost, NoSuchMeeting)):
            self._assignments.drop(stream.meeting_id, "fenced_off")
            return
        outage = supervise.outage_of(error)
        if outage is None:
            await self._count(stream, stage, error)
        elif stage is Stage.CAPTIONS:
            # The failed step lost its results: they are read again from the cursor.
            self._assignments.drop(stream.meeting_id, f"{outage}_away")

    async def progressed(self, stream: MeetingStream) -> None:
        """Clear failures that the meeting has passed. Called after each commit."""
        if stream.is_suspect and stream.committed >= stream.suspect_until:
            stream.is_suspect = False
            log.info("meeting_cleared", meeting=stream.meeting_id)
        for stage, position in list(stream.failed_at.items()):
            if stage not in stream.set_aside and stream.committed > position:
                del stream.failed_at[stage]
                await self._publisher.store(stream, stage_failures.clear_failure, stream.meeting_id, stage)

    @asynccontextmanager
    async def trial(self, stream: MeetingStream, stage: Stage) -> AsyncIterator[None]:
        """Run a suspect's work alone, on record so that the next worker knows if the process dies within."""
        if not stream.is_suspect:
            yield
            return
        async with self._one_trial:
            await self._broker.set(trial_key(stream.meeting_id), stage.value, ex=TRIAL_KEPT_S)
            try:
                yield
            except FATAL:
                raise  # the process ends: keep the record for the next worker
            except BaseException:
                await self._broker.delete(trial_key(stream.meeting_id))
                raise
            await self._broker.delete(trial_key(stream.meeting_id))

    async def admit(self, opened: TakenMeeting) -> None:
        """Load the known failures of a meeting that was just taken. Raises SetAside."""
        stream, meeting_id = opened.stream, opened.stream.meeting_id
        died_at: Any = await self._broker.getdel(trial_key(meeting_id))
        if opened.was_leased:
            stream.is_suspect = True
            stream.suspect_until = (await self._audio.state(meeting_id)).next_sample
            if died_at is not None:
                stage = Stage(died_at.decode())
                log.error("meeting_ended_a_worker", meeting=meeting_id, stage=stage.value)
                await in_database(
                    stage_failures.record_failure, meeting_id, stage, position=stream.committed, error=WORKER_DIED
                )
        for stage, failure in (await in_database(stage_failures.failures_of, meeting_id)).items():
            stream.failed_at[stage] = failure.position
            if failure.set_aside_at is not None:
                stream.set_aside |= {stage}
        if Stage.CAPTIONS in stream.set_aside:
            raise SetAside(meeting_id)

    async def leave_alone(self, meeting_id: str) -> None:
        """Retire the meeting: no worker takes it any more. Its audio stays in the log."""
        await self._audio.retire(meeting_id)

    async def try_again_what_other_code_set_aside(self) -> None:
        """Retry stages that another version set aside. Called when a worker starts."""
        for meeting_id in await in_database(stage_failures.try_again_what_other_code_set_aside):
            log.info("meeting_tried_again", meeting=meeting_id)
            await self._audio.activate(meeting_id)

    async def _count(self, stream: MeetingStream, stage: Stage, error: Exception) -> None:
        kind = supervise.class_of(error)
        is_set_aside = await self._publisher.store(
            stream,
            stage_failures.record_failure,
            stream.meeting_id,
            stage,
            position=stream.committed,
            error=kind,
        )
        log.error(
            "meeting_failed",
            meeting=stream.meeting_id,
            stage=stage.value,
            error=kind,
            set_aside=is_set_aside,
            where=supervise.where(error),
        )
        stream.failed_at[stage] = stream.committed
        if stage is Stage.CAPTIONS:
            await self._release(stream, is_set_aside=is_set_aside)
        elif is_set_aside:
            stream.set_aside |= {stage}

    async def _release(self, stream: MeetingStream, *, is_set_aside: bool) -> None:
        """Release the meeting; the next owner resumes at its cursor, unless it is set aside."""
        await self._publisher.set_phase(stream, "degraded")
        if is_set_aside:
            await self.leave_alone(stream.meeting_id)
        self._assignments.defer(stream.meeting_id, supervise.pause(RETAKEN_AFTER_S, 0 if not is_set_aside else 1))
        await self._assignments.let_go(stream.meeting_id, "set_aside" if is_set_aside else "failed")
