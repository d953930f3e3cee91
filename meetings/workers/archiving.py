"""A worker's part in the results: stores the transcripts of meetings that are over, and deletes those of deleted ones.

A storage that is away is tried again, less and less often; captions never wait for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import redis.asyncio
import structlog
from django.core.files.storage import Storage
from django.db import DatabaseError, close_old_connections

from meetings.database_errors import describe
from meetings.files import results
from meetings.files.storages import storage_errors
from meetings.workers.leases import Leases

log = structlog.get_logger(__name__)

LOOK_S = 2.0
BATCH = 10
"""Meetings a turn."""

SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 4.0, 300.0
TURN = "results"
"""Name of the lease: one worker at a time."""


class Archiving:
    """Belongs to one worker; whoever holds the lease stores."""

    def __init__(
        self, worker: str, broker: redis.asyncio.Redis, *, open_results: Callable[[], Storage] = results.results_storage
    ) -> None:
        self._leases = Leases(broker, worker)
        self._open_results = open_results
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="results")
        self._failures = 0
        self._not_before = 0.0

    async def turn(self) -> None:
        """Stores and deletes what is due."""
        if time.monotonic() < self._not_before or not await self._leases.acquire(TURN):
            return
        failure = await asyncio.get_running_loop().run_in_executor(self._thread, self._store_and_delete)
        if failure is None:
            self._failures = 0
            return
        pause_s = min(LONGEST_PAUSE_S, SHORTEST_PAUSE_S * 2**self._failures)
        self._failures += 1
        self._not_before = time.monotonic() + pause_s
        log.warning("results_not_stored", error=failure, again_in_s=pause_s)

    def _store_and_delete(self) -> str | None:
        """What went wrong with the storage, if anything did."""
        close_old_connections()
        try:
            ready, discarded = results.due(limit=BATCH), results.discarded(limit=BATCH)
            if ready or discarded:
                self._work_off(ready, discarded)
        except DatabaseError as error:
            return describe(error)
        except storage_errors() as error:
            return str(error) or type(error).__name__
        return None

    def _work_off(self, ready: Sequence[str], discarded: Sequence[str]) -> None:
        storage = self._open_results()
        for meeting_id in ready:
            if results.store(meeting_id, storage):
                log.info("results_stored", meeting=meeting_id)
        for meeting_id in discarded:
            results.delete(meeting_id, storage)
