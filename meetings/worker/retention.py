"""Delete meetings and recordings past their retention period, once a minute."""

from __future__ import annotations

import time
from functools import partial

import redis.asyncio
import structlog

from meetings.broker.leases import Leases
from meetings.store import retention
from meetings.threads import DaemonThreads

log = structlog.get_logger(__name__)

PURGE_S = 60.0
MEETINGS_PER_TURN = 50
"""Meetings per turn. If there are more, the next turn follows at once."""

LEFT_ALONE_S = 3_600.0
"""How long a meeting that could not be deleted is skipped, so that it does not block others."""

TURN = "purge"
"""Name of the lease that lets one worker at a time purge."""


class RetentionJob:
    """Apply retention. Of several workers, the one that holds the lease deletes."""

    def __init__(self, worker: str, broker: redis.asyncio.Redis) -> None:
        self._leases = Leases(broker, worker)
        self._threads = DaemonThreads("purge")
        self._not_before = 0.0
        self._left_alone: dict[str, float] = {}
        """Meetings that could not be deleted, and the time until which they are skipped."""

    async def turn(self) -> None:
        """Delete what is due, if it is time to check."""
        if time.monotonic() < self._not_before or not await self._leases.acquire(TURN):
            return
        try:
            await self._purge()
        finally:
            await self._leases.release(TURN)

    async def _purge(self) -> None:
        now = time.monotonic()
        self._left_alone = {meeting: until for meeting, until in self._left_alone.items() if until > now}
        find = partial(retention.purge, limit=MEETINGS_PER_TURN, but=tuple(self._left_alone))
        found = await self._threads.query(find)
        self._left_alone |= dict.fromkeys(found.failed, now + LEFT_ALONE_S)
        forgotten = await self._threads.query(retention.forget_machinery)
        is_all = (
            max(len(found.meetings), len(found.recordings)) < MEETINGS_PER_TURN and forgotten < retention.ROWS_PER_QUERY
        )
        self._not_before = now + PURGE_S if is_all else 0.0
        if found.meetings or found.recordings:
            log.info("purged", meetings=len(found.meetings), recordings=len(found.recordings))
        if found.failed:
            log.error("purge_failed", meetings=found.failed)
