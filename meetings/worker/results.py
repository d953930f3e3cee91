"""Store the transcript files of ended meetings.

A meeting whose files cannot be stored is put off on its own, with backoff. Captions never wait for this job.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial

import structlog
from django.core.files.storage import Storage

from meetings import supervise
from meetings.export import results
from meetings.export.storages import storage_errors
from meetings.threads import DaemonThreads

log = structlog.get_logger(__name__)

RESULTS_POLL_S = 2.0
LOOK_SHARE = 0.02
"""Share of the time that may be spent on queries. With 50,000 meetings one query takes 0.4 s."""

RESULTS_PER_TURN = 10
"""Meetings per turn."""

FAILURES_PER_TURN = 3
"""Consecutive failures that end the turn: the storage may be away, and the other meetings keep their place."""


class ResultsJob:
    """Store transcript files. Of several workers, the one that claims a meeting stores it."""

    def __init__(self, *, open_results: Callable[[], Storage] = results.results_storage) -> None:
        self._open_results = open_results
        self._threads = DaemonThreads("results")
        self._not_before = 0.0

    async def turn(self) -> None:
        """Store what is due, if it is time for a query."""
        if time.monotonic() < self._not_before:
            return
        failures = 0
        for meeting_id in await self._look():
            failures = 0 if await self._store(meeting_id) else failures + 1
            if failures == FAILURES_PER_TURN:
                return

    async def _look(self) -> list[str]:
        """Return the meetings that are due. The slower the query, the less often it runs."""
        began = time.monotonic()
        found = await self._threads.query(partial(results.due, limit=RESULTS_PER_TURN))
        if not found:
            now = time.monotonic()
            self._not_before = now + (now - began) / LOOK_SHARE
        return found

    async def _store(self, meeting_id: str) -> bool:
        attempt = await self._threads.query(partial(results.claim, meeting_id))
        if attempt is None:
            return True
        storing = self._threads.query(lambda: results.store(meeting_id, self._open_results()))
        [outcome] = await asyncio.gather(storing, return_exceptions=True)
        if not isinstance(outcome, BaseException):
            if outcome:
                log.info("results_stored", meeting=meeting_id)
            return True
        put_off = partial(results.defer, meeting_id, attempt)
        pause = await supervise.retry(lambda: self._threads.query(put_off))
        log_failure("results_not_stored", meeting_id, outcome, again_in_s=pause.total_seconds())
        return False


def log_failure(event: str, meeting_id: str, error: BaseException, *, again_in_s: float) -> None:
    """Log why a meeting's files could not be stored or deleted; for unexpected errors, also where."""
    known = isinstance(error, storage_errors()) or supervise.outage_of(error) is not None
    where = {} if known else {"where": supervise.where(error)}
    log.warning(event, meeting=meeting_id, error=type(error).__qualname__, again_in_s=again_in_s, **where)
