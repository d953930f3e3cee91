"""A worker's side of operator commands: restore captions at once, or put idle models to sleep."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

import redis.asyncio
import structlog

from inference.models.residency.drain_lock import ModelInUse
from inference.models.residency.pool import CannotSleep, ModelPool, PoolState, SwapUnderWay
from meetings.broker import commands
from meetings.broker.commands import Command, CommandResult
from meetings.worker import model_sleep
from meetings.worker.stream import MeetingStream
from meetings.worker.summarize import SummarizeStep

QUIET_S = 5.0
"""A meeting without audio for this long needs no captions now."""

log = structlog.get_logger(__name__)


class OperatorCommands:
    """Execute the commands that operators send to one worker."""

    def __init__(
        self,
        worker: str,
        broker: redis.asyncio.Redis,
        pool: ModelPool,
        summarize_step: SummarizeStep,
        report: Callable[[], Awaitable[None]],
    ) -> None:
        """Call `report` to publish where the models are before each answer is sent."""
        self._worker = worker
        self._broker = broker
        self._pool = pool
        self._summarize_step = summarize_step
        self._report = report

    async def turn(self, streams: Mapping[str, MeetingStream]) -> None:
        """Wait a moment for a command, and execute it."""
        told = await commands.receive(self._broker, self._worker)
        if told is None:
            return
        said = await (self._restore() if told.order is Command.RESTORE else self._sleep(streams))
        log.info("operator_command_done", order=told.order.value, answer=said.value)
        await self._report()
        await commands.answer(self._broker, told, said)

    async def _restore(self) -> CommandResult:
        """Bring the caption models back. Raises CaptionsLost, since a new process has a better chance."""
        if await self._summarize_step.break_off():
            return CommandResult.RESTORED
        if self._pool.state is not PoolState.ASLEEP:
            return CommandResult.CAPTIONING
        await asyncio.to_thread(model_sleep.wake, self._pool)
        return CommandResult.RESTORED

    async def _sleep(self, streams: Mapping[str, MeetingStream]) -> CommandResult:
        if any(_is_captioned(stream) for stream in streams.values()):
            return CommandResult.IN_USE
        try:
            await asyncio.to_thread(model_sleep.sleep, self._pool)
        except (SwapUnderWay, ModelInUse):
            return CommandResult.BUSY
        except CannotSleep as error:
            log.error("models_do_not_sleep", error=str(error))
            return CommandResult.FAILED
        return CommandResult.ASLEEP


def _is_captioned(stream: MeetingStream) -> bool:
    return stream.has_work or time.monotonic() - stream.heard_at < QUIET_S
