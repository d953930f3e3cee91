"""What a worker does beside its meetings: stores transcripts as files, sends webhooks, deletes what is too old."""

from __future__ import annotations

import asyncio

import redis.asyncio

from meetings.workers.archiving import Archiving
from meetings.workers.delivering import Delivering
from meetings.workers.purging import Purging


class Chores:
    """Belongs to one worker; each chore has a thread of its own, and sees to it that one worker does it."""

    def __init__(self, worker: str, broker: redis.asyncio.Redis) -> None:
        self._chores = (Archiving(worker, broker), Delivering(), Purging(worker, broker))

    async def turn(self) -> None:
        """One turn of each."""
        await asyncio.gather(*(chore.turn() for chore in self._chores))
