"""The policy for errors: which pass by themselves, which are a step's own, and what keeps a loop running.

Worker, web processes and supervisor share it. Every long-lived asyncio task runs under `run_forever`, so no error of
one step, meeting, file or reader ends a loop. `docs/architecture.md` has the table.
"""

from __future__ import annotations

import asyncio
import random
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

import structlog
from django.db import InterfaceError, OperationalError
from redis import exceptions as broker_errors

from meetings import metrics

T = TypeVar("T")

log = structlog.get_logger(__name__)

OUTAGE_PAUSES_S = (0.25, 0.5, 1.0, 2.0)
"""Before each further try while the database or the broker is away; the last one repeats."""

FAILURE_PAUSES_S = (0.5, 2.0, 5.0, 15.0, 30.0)
"""The same after an error that nobody expected: what is wrong stays wrong for a while."""

JITTER = 0.2
"""Part of each pause by which it varies, so that many processes do not come back in the same moment."""


class Outage(StrEnum):
    """What is away for a while."""

    DATABASE = "database"
    BROKER = "broker"


TRANSIENT: tuple[tuple[tuple[type[BaseException], ...], Outage], ...] = (
    ((OperationalError, InterfaceError), Outage.DATABASE),
    (
        (
            broker_errors.ConnectionError,  # BusyLoadingError is one
            broker_errors.TimeoutError,
            broker_errors.ReadOnlyError,
            broker_errors.OutOfMemoryError,
            broker_errors.ClusterDownError,
            broker_errors.TryAgainError,
            ConnectionError,
        ),
        Outage.BROKER,
    ),
)
"""Errors that pass without anybody changing the request. An `OSError` is not among them: it may be of any disk."""

BROKER_BUSY = ("BUSY ", "LOADING ", "MASTERDOWN ", "MISCONF ", "NOREPLICAS ", "OOM ", "READONLY ", "UNKILLABLE ")
"""Beginnings of the broker's replies that are about its own state."""


def outage_of(error: BaseException) -> Outage | None:
    """Return what is away, or None for an error that waiting does not mend."""
    for kinds, outage in TRANSIENT:
        if isinstance(error, kinds):
            return outage
    if isinstance(error, broker_errors.ResponseError) and str(error).startswith(BROKER_BUSY):
        return Outage.BROKER
    return None


async def retry(
    work: Callable[[], Awaitable[T]],
    *,
    on_outage: Callable[[Outage], Awaitable[object]] | None = None,
    pauses_s: Sequence[float] = OUTAGE_PAUSES_S,
) -> T:
    """Return what `work` returns, tried again with growing pauses while the database or the broker is away.

    `on_outage` is awaited after each failure. Any other error is raised at once.
    """
    failures = 0
    while True:
        try:
            return await work()
        except (OperationalError, InterfaceError, broker_errors.RedisError, ConnectionError) as error:
            end_if_cancelled()
            outage = outage_of(error)
            if outage is None:
                raise
            log.warning(f"{outage}_away", error=type(error).__name__, failures=failures + 1)
        if on_outage is not None:
            await on_outage(outage)
        await asyncio.sleep(pause(pauses_s, failures))
        failures += 1


async def run_forever(
    name: str,
    step: Callable[[], Awaitable[object]],
    *,
    pause_s: float = 0.0,
    fatal: tuple[type[BaseException], ...] = (),
    on_error: Callable[[BaseException], object] | None = None,
) -> None:
    """Await `step` again and again, `pause_s` seconds apart, until the task is cancelled.

    A step that meets an outage waits with growing pauses. Any other error is logged with its traceback once in a row,
    counted, and tried again with longer pauses. `on_error` is called with either. Errors in `fatal` are raised: the
    process has to start anew.
    """
    watch = _Failures(name)
    while True:
        try:
            await step()
        except fatal:
            raise
        except Exception as error:  # noqa: BLE001 - the root of a supervised loop
            end_if_cancelled()
            wait_s = watch.note(error)
            if on_error is not None:
                on_error(error)
            await asyncio.sleep(wait_s)
        else:
            end_if_cancelled()
            watch.clear()
            await asyncio.sleep(pause_s)


@dataclass(frozen=True, slots=True)
class Contained(Generic[T]):
    """What became of a piece of work: its value, or the error that stays with it."""

    value: T | None = None
    error: Exception | None = None


async def contained(work: Callable[[], Awaitable[T]], *, fatal: tuple[type[BaseException], ...] = ()) -> Contained[T]:
    """Await `work` for one meeting, file or reader; whatever it raises is returned, so that the others go on.

    Errors in `fatal` are raised.
    """
    try:
        return Contained(await work())
    except fatal:
        raise
    except Exception as error:  # noqa: BLE001 - the root of one meeting's, file's or reader's work
        return Contained(error=error)


def contained_call(work: Callable[[], T], *, fatal: tuple[type[BaseException], ...] = ()) -> Contained[T]:
    """As `contained`, for work that does not await."""
    try:
        return Contained(work())
    except fatal:
        raise
    except Exception as error:  # noqa: BLE001 - as above
        return Contained(error=error)


def start(
    name: str,
    step: Callable[[], Awaitable[object]],
    *,
    pause_s: float = 0.0,
    fatal: tuple[type[BaseException], ...] = (),
    on_error: Callable[[BaseException], object] | None = None,
) -> asyncio.Task[None]:
    """Return a task of `run_forever`."""
    return asyncio.create_task(run_forever(name, step, pause_s=pause_s, fatal=fatal, on_error=on_error), name=name)


def end_if_cancelled() -> None:
    """Raise CancelledError in a task that was told to end.

    A library may turn the cancellation into an error of its own, as redis-py does while it connects; the task would go
    on for ever then.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def pause(pauses_s: Sequence[float], failures: int) -> float:
    """Return the seconds to wait after `failures` failures before this one, with jitter."""
    return pauses_s[min(failures, len(pauses_s) - 1)] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret


def class_of(error: BaseException) -> str:
    """Return the module and name of the error's class, which say nothing of what people said."""
    return f"{type(error).__module__}.{type(error).__qualname__}"


def where(error: BaseException) -> str:
    """Return the traceback without the error's own text, which may hold what people said or a row of the database."""
    return "".join(traceback.format_tb(error.__traceback__)).rstrip()


class _Failures:
    """The failures of one loop in a row: how long to wait, and what is told of them."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._count = 0
        self._told: str | None = None

    def note(self, error: Exception) -> float:
        """Log one more, and return the seconds to wait."""
        outage = outage_of(error)
        metrics.loop_errors.labels(self._name, outage or "failure").inc()
        what = class_of(error)
        if outage is not None:
            log.warning(f"{outage}_away", step=self._name, error=type(error).__name__)
        elif what != self._told:
            log.error("step_failed", step=self._name, error=what, where=where(error))
        self._told = what
        wait_s = pause(FAILURE_PAUSES_S if outage is None else OUTAGE_PAUSES_S, self._count)
        self._count += 1
        return wait_s

    def clear(self) -> None:
        """A step succeeded."""
        if self._count:
            log.info("step_recovered", step=self._name, failures=self._count)
        self._count, self._told = 0, None
