"""Ends a worker whose models hang: a thread cannot be ended from outside, and the next process captions on."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import structlog

log = structlog.get_logger(__name__)

WRITING_S = 150.0
"""One meeting's summary: a minute more than it may take (`summarising.WITHIN_S`), for the step that it is at."""

MOVING_S = 900.0
"""One load or one swap. It has to let every move pass that works, however slowly: a first load unpacks its weights, and
15 GB (Qwen2.5-7B) come from a disk that gives 20 MB/s in 13 minutes."""


def writing() -> AbstractContextManager[None]:
    """Around one summary."""
    return watched("writing", WRITING_S)


def moving() -> AbstractContextManager[None]:
    """Around whatever loads models, or takes them to a device or away."""
    return watched("moving", MOVING_S)


@contextmanager
def watched(what: str, limit_s: float) -> Iterator[None]:
    """Ends the process unless the block ends in time; `what` it was at stands in the log."""
    timer = threading.Timer(limit_s, end_process, (what, limit_s))
    timer.name, timer.daemon = f"watchdog of {what}", True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def end_process(what: str, limit_s: float) -> None:
    """At once, as a kill would: the supervisor starts a new worker."""
    log.critical("models_hang", at=what, limit_s=limit_s, worker_ends=True)
    os._exit(1)
