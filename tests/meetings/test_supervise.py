"""Outages are waited for and failures are not: held on the real exceptions, with the pauses taken out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest
import structlog
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from redis.exceptions import BusyLoadingError, OutOfMemoryError, ResponseError
from redis.exceptions import ConnectionError as BrokerConnectionError
from redis.exceptions import TimeoutError as BrokerTimeoutError

from meetings import supervise
from meetings.supervise import Outage, outage_of, retry, run_forever


class Fatal(RuntimeError):
    """Ends the process."""


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were asked for; none is taken."""
    asked: list[float] = []

    def pause(pauses_s: object, failures: int) -> float:
        asked.append(real(pauses_s, failures))
        return 0.0

    real: Callable[..., float] = supervise.pause
    monkeypatch.setattr(supervise, "pause", pause)
    return asked


def failing(*errors: BaseException, then: object = "done") -> Callable[[], Awaitable[object]]:
    """Raises the errors one after the other, then returns."""
    left: Iterator[BaseException] = iter(errors)

    async def work() -> object:
        for error in left:
            raise error
        return then

    return work


@pytest.mark.parametrize(
    ("error", "outage"),
    [
        (OperationalError("database is locked"), Outage.DATABASE),
        (InterfaceError("connection already closed"), Outage.DATABASE),
        (IntegrityError("UNIQUE"), None),
        (DataError("invalid input"), None),
        (BrokerConnectionError("refused"), Outage.BROKER),
        (BrokerTimeoutError("slow"), Outage.BROKER),
        (BusyLoadingError("loading"), Outage.BROKER),
        (OutOfMemoryError("full"), Outage.BROKER),
        (ResponseError("MISCONF Errors writing to the AOF file"), Outage.BROKER),
        (ResponseError("WRONGTYPE Operation against a key"), None),
        (ConnectionResetError("reset"), Outage.BROKER),
        (OSError(28, "No space left on device"), None),
        (FileNotFoundError("recordings"), None),
        (ValueError("odd"), None),
    ],
)
def test_what_passes_by_itself_is_told_from_what_does_not(error: BaseException, outage: Outage | None) -> None:
    assert outage_of(error) is outage


async def test_an_outage_is_waited_for_with_growing_pauses(pauses: list[float]) -> None:
    told: list[Outage] = []

    async def on_outage(outage: Outage) -> None:
        told.append(outage)

    work = failing(OperationalError("1"), OperationalError("2"), BrokerConnectionError("3"))
    assert await retry(work, on_outage=on_outage) == "done"
    assert told == [Outage.DATABASE, Outage.DATABASE, Outage.BROKER]
    assert [round(pause_s, 1) for pause_s in pauses] == sorted(round(pause_s, 1) for pause_s in pauses)
    assert len(pauses) == 3


async def test_a_permanent_error_is_never_tried_again(pauses: list[float]) -> None:
    with pytest.raises(IntegrityError):
        await retry(failing(OperationalError("away"), IntegrityError("twice")))
    assert len(pauses) == 1


async def test_a_loop_survives_whatever_a_step_raises() -> None:
    reached = asyncio.Event()
    work = failing(ValueError("a"), OperationalError("b"), RecursionError("c"), MemoryError("d"))

    async def step() -> None:
        await work()
        reached.set()

    seen: list[BaseException] = []
    task = supervise.start("a loop", step, on_error=seen.append)
    await asyncio.wait_for(reached.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [type(error) for error in seen] == [ValueError, OperationalError, RecursionError, MemoryError]


async def test_what_is_fatal_ends_the_loop() -> None:
    with pytest.raises(Fatal):
        await run_forever("a loop", failing(ValueError("a"), Fatal("device gone")), fatal=(Fatal,))


async def test_a_failure_is_logged_once_in_a_row_with_its_place_and_without_its_text() -> None:
    with structlog.testing.capture_logs() as logs, pytest.raises(Fatal):
        await run_forever(
            "a loop", failing(ValueError("said aloud"), ValueError("said again"), Fatal("end")), fatal=(Fatal,)
        )
    [entry] = [entry for entry in logs if entry["event"] == "step_failed"]
    assert entry["step"] == "a loop"
    assert entry["error"] == "builtins.ValueError"
    assert "in work" in entry["where"]
    assert "said" not in str(entry)


async def test_pauses_after_failures_grow_and_a_success_resets_them(pauses: list[float]) -> None:
    steps = iter([ValueError("a"), ValueError("b"), None, ValueError("c"), Fatal("end")])

    async def step() -> None:
        error = next(steps)
        if error is not None:
            raise error

    with pytest.raises(Fatal):
        await run_forever("a loop", step, fatal=(Fatal,))
    first, second, after_success = pauses
    assert first <= 0.6
    assert second >= 1.6
    assert after_success <= 0.6


@pytest.mark.parametrize("error", [BrokerTimeoutError("while connecting"), None])
async def test_a_cancellation_that_a_library_swallows_ends_the_loop_all_the_same(error: Exception | None) -> None:
    begun = asyncio.Event()

    async def step() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if error is not None:
                raise error from None

    task = supervise.start("a loop", step)
    await asyncio.wait_for(begun.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 10)


async def test_a_cancellation_that_a_library_swallows_ends_the_waiting_too() -> None:
    begun = asyncio.Event()

    async def write() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise BrokerTimeoutError from None

    task = asyncio.create_task(retry(write))
    await asyncio.wait_for(begun.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 10)
