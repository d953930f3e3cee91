"""End a worker whose models hang. A thread cannot be killed from outside, and a new process captions on.

A slow machine is not a hung one: seconds count only while the process could run, not while it was stopped or while its
threads waited for a processor.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from django.conf import settings

log = structlog.get_logger(__name__)

TICK_S = 0.5
"""Interval between checks. A check counts for twice that at most, so a stopped process does not look hung."""

WRITING_S = 150.0
"""One meeting's summary: its limit (`worker.summarize.WITHIN_S`) and a minute more for the current step."""

MOVING_S = 900.0
"""One load or swap. Must allow every move that works, however slowly: a first load unpacks its weights, and a disk with
20 MB/s takes 13 minutes for 15 GB (Qwen2.5-7B)."""

NO_PROGRESS_S = 15.0
"""Duration after which a model call makes the worker count as not ready."""

PATIENT = ("moving", "writing")
"""Blocks that may take long without affecting readiness."""


@dataclass(slots=True, eq=False)
class Watched:
    """One watched block in progress."""

    what: str
    limit_s: float
    seconds: float = field(default=0.0)
    """Seconds in which the process could run since the block began."""


class Watchdog:
    """Count the seconds of every block in progress, in a thread of its own."""

    def __init__(self) -> None:
        self._blocks: dict[int, Watched] = {}
        self._numbers = itertools.count()
        self._guard = threading.Lock()
        self._is_busy = threading.Event()
        self._thread: threading.Thread | None = None

    def enter(self, what: str, limit_s: float) -> int:
        """Start to watch a block; return the number to pass to `leave`."""
        with self._guard:
            number = next(self._numbers)
            self._blocks[number] = Watched(what, limit_s)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
                self._thread.start()
        self._is_busy.set()
        return number

    def leave(self, number: int) -> None:
        with self._guard:
            self._blocks.pop(number, None)
            if not self._blocks:
                self._is_busy.clear()

    def restart(self, number: int) -> None:
        """Reset the block's seconds after progress."""
        with self._guard:
            if number in self._blocks:
                self._blocks[number].seconds = 0.0

    def longest_s(self) -> float:
        """Return the seconds of the block running longest, except PATIENT ones."""
        with self._guard:
            return max((block.seconds for block in self._blocks.values() if block.what not in PATIENT), default=0.0)

    def _watch(self) -> None:
        while True:
            self._is_busy.wait()
            before, waits = time.monotonic(), processor_waits()
            time.sleep(TICK_S)
            elapsed_s = min(time.monotonic() - before, 2 * TICK_S)
            self.count(max(0.0, elapsed_s - starved_s(waits, processor_waits())))

    def count(self, seconds: float) -> None:
        """Add seconds to every block, and end the process if one exceeds its limit."""
        with self._guard:
            for block in self._blocks.values():
                block.seconds += seconds
            overdue = next((block for block in self._blocks.values() if block.seconds > block.limit_s), None)
        if overdue is not None:
            end_process(overdue.what, overdue.limit_s)


watchdog = Watchdog()
"""The watchdog of this process."""


def model_call(what: str) -> AbstractContextManager[int]:
    """Watch one call of a model for captions, speakers or translation (`PARLANCE_HANG_LIMIT_S`)."""
    return watched(what, settings.ENVIRONMENT.hang_limit_s)


def writing() -> AbstractContextManager[int]:
    """Watch one summary."""
    return watched("writing", WRITING_S)


def moving() -> AbstractContextManager[int]:
    """Watch a load, or a move to or from a device."""
    return watched("moving", MOVING_S)


@contextmanager
def watched(what: str, limit_s: float) -> Iterator[int]:
    """End the process, with `what` in the log, unless the block ends in time.

    Yield the number for `Watchdog.restart`.
    """
    number = watchdog.enter(what, limit_s)
    try:
        yield number
    finally:
        watchdog.leave(number)


def processor_waits() -> dict[str, float]:
    """Return the seconds that each thread has waited for a processor since its start; empty if not available.

    Read from Linux's `schedstat`: nanoseconds on the processor, nanoseconds waiting for one, slices.
    """
    waits = {}
    for task in _tasks():
        with contextlib.suppress(OSError, IndexError, ValueError):  # a thread may end meanwhile
            waits[task.name] = int((task / "schedstat").read_text().split()[1]) / 1e9
    return waits


def starved_s(before: Mapping[str, float], after: Mapping[str, float]) -> float:
    """Return the seconds between two readings in which a ready thread had no processor; the maximum of all threads."""
    return max((wait_s - before[thread] for thread, wait_s in after.items() if thread in before), default=0.0)


def end_process(what: str, limit_s: float) -> None:
    """Exit at once, as if killed; the supervisor starts a new worker."""
    log.critical("models_hang", at=what, limit_s=limit_s, worker_ends=True)
    os._exit(1)


def _tasks() -> list[Path]:
    try:
        return list(Path("/proc/self/task").iterdir())
    except OSError:
        return []
