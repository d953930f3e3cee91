"""A worker's side of its operators' orders: captions back at once, or models asleep while nobody speaks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

import redis.asyncio
import structlog

from inference.models.residency.drain_lock import ModelInUse
from inference.models.residency.pool import CannotSleep, ModelPool, State, SwapUnderWay
from meetings.broker import commands
from meetings.broker.commands import Command, CommandResult
from meetings.worker import model_sleep
from meetings.worker.stream import MeetingStream
from meetings.worker.summarize import SummarizeStep

QUIET_S = 5.0
"""A meeting that nothing was heard of for so long needs no captions now."""

log = structlog.get_logger(__name__)


class OperatorCommands:
    """Belongs to one worker."""

    def __init__(
        self,
        worker: str,
        broker: redis.asyncio.Redis,
        pool: ModelPool,
        summarize_step: SummarizeStep,
        report: Callable[[], Awaitable[None]],
    ) -> None:
        """`report` files where the models are now: whoever reads an answer looks there next."""
        self._worker = worker
        self._broker = broker
        self._pool = pool
        self._summarize_step = summarize_step
        self._report = report

    async def turn(self, streams: Mapping[str, MeetingStream]) -> None:
        """Waits a moment for an order, and does it."""
        told = await commands.receive(self._broker, self._worker)
        if told is None:
            return
        said = await (self._restore() if told.order is Command.RESTORE else self._sleep(streams))
        log.info("order_obeyed", order=told.order.value, answer=said.value)
        await self._report()
        await commands.answer(self._broker, told, said)

    async def _restore(self) -> CommandResult:
        """Raises CaptionsLost: a new process has a better chance."""
        if await self._summarize_step.break_off():
            return CommandResult.RESTORED
        if self._pool.state is not State.ASLEEP:
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
