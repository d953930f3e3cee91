"""End a worker whose models hang: a thread cannot be ended from outside, and the next process captions on.

A slow machine is not a hung one. Seconds count only while the process could run: not while it was stopped, and not
while its threads waited for a processor.
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
"""Between two looks; a look counts for twice as much at most, so a stopped process is not counted as hung."""

WRITING_S = 150.0
"""One meeting's summary: a minute more than it may take (`summarising.WITHIN_S`), for the step that it is at."""

MOVING_S = 900.0
"""One load or one swap. It has to let every move pass that works, however slowly: a first load unpacks its weights, and
15 GB (Qwen2.5-7B) come from a disk that gives 20 MB/s in 13 minutes."""

STALLED_S = 15.0
"""A call of a model that has taken so long is told to those who ask whether the worker is ready."""

PATIENT = ("moving", "writing")
"""What may take its time: it says nothing about whether captions can be had."""


@dataclass(slots=True, eq=False)
class Watched:
    """One block that is under way."""

    what: str
    limit_s: float
    seconds: float = field(default=0.0)
    """In which the process could run since the block began."""


class Watchdog:
    """Counts the seconds of every block that is under way, in a thread of its own."""

    def __init__(self) -> None:
        self._blocks: dict[int, Watched] = {}
        self._numbers = itertools.count()
        self._guard = threading.Lock()
        self._is_busy = threading.Event()
        self._thread: threading.Thread | None = None

    def enter(self, what: str, limit_s: float) -> int:
        """Begin to watch; return the number to leave with."""
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
        """The block has made progress: its seconds begin again."""
        with self._guard:
            if number in self._blocks:
                self._blocks[number].seconds = 0.0

    def longest_s(self) -> float:
        """Return the seconds of the block that has taken longest, of those that should be short."""
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
        """Add seconds to every block, and end the process for the first that is over its limit."""
        with self._guard:
            for block in self._blocks.values():
                block.seconds += seconds
            overdue = next((block for block in self._blocks.values() if block.seconds > block.limit_s), None)
        if overdue is not None:
            end_process(overdue.what, overdue.limit_s)


watchdog = Watchdog()
"""The process's own."""


def model_call(what: str) -> AbstractContextManager[int]:
    """Watch one call of a model for captions, speakers or translation (`PARLANCE_HANG_LIMIT_S`)."""
    return watched(what, settings.ENVIRONMENT.hang_limit_s)


def writing() -> AbstractContextManager[int]:
    """Watch one summary."""
    return watched("writing", WRITING_S)


def moving() -> AbstractContextManager[int]:
    """Watch whatever loads models, or takes them to a device or away."""
    return watched("moving", MOVING_S)


@contextmanager
def watched(what: str, limit_s: float) -> Iterator[int]:
    """End the process unless the block ends in time; `what` it was at stands in the log.

    Gives the number for `Watchdog.restart`.
    """
    number = watchdog.enter(what, limit_s)
    try:
        yield number
    finally:
        watchdog.leave(number)


def processor_waits() -> dict[str, float]:
    """Return the seconds that each thread has waited for a processor since it began; empty where nobody counts them.

    From `schedstat` of Linux: nanoseconds on the processor, nanoseconds waiting for one, slices.
    """
    waits = {}
    for task in _tasks():
        with contextlib.suppress(OSError, IndexError, ValueError):  # a thread may end meanwhile
            waits[task.name] = int((task / "schedstat").read_text().split()[1]) / 1e9
    return waits


def starved_s(before: Mapping[str, float], after: Mapping[str, float]) -> float:
    """Return the seconds between two looks in which some thread was ready and had no processor; the worst thread's."""
    return max((wait_s - before[thread] for thread, wait_s in after.items() if thread in before), default=0.0)


def end_process(what: str, limit_s: float) -> None:
    """End at once, as a kill would: the supervisor starts a new worker."""
    log.critical("models_hang", at=what, limit_s=limit_s, worker_ends=True)
    os._exit(1)


def _tasks() -> list[Path]:
    try:
        return list(Path("/proc/self/task").iterdir())
    except OSError:
        return []
