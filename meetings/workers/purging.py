"""A worker's part in retention: deletes what is older than it may be, once a minute."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import redis.asyncio
import structlog
from django.db import DatabaseError, close_old_connections

from meetings.programs import webhooks
from meetings.rows import retention
from meetings.workers.leases import Leases

log = structlog.get_logger(__name__)

PURGE_S = 60.0
BATCH = 500
"""Deliveries a turn."""

TURN = "purge"
"""Name of the lease: one worker at a time."""


class Purging:
    """Belongs to one worker; whoever holds the lease deletes."""

    def __init__(self, worker: str, broker: redis.asyncio.Redis) -> None:
        self._leases = Leases(broker, worker)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="purge")
        self._not_before = 0.0

    async def turn(self) -> None:
        """Deletes what is due, if it is time to look."""
        if time.monotonic() < self._not_before or not await self._leases.acquire(TURN):
            return
        self._not_before = time.monotonic() + PURGE_S
        await asyncio.get_running_loop().run_in_executor(self._thread, delete_overdue)


def delete_overdue() -> None:
    """One round; a database that is away is asked again at the next one."""
    close_old_connections()
    try:
        found = retention.purge()
        webhooks.forget_old(limit=BATCH)
    except DatabaseError as error:
        log.warning("purge_failed", error=type(error).__name__)
        return
    if found.meetings or found.recordings:
        log.info("purged", meetings=len(found.meetings), recordings=len(found.recordings))
