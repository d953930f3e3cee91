"""Leases of meetings: a key that expires with its worker, and an epoch that fences off a late one.

The key (in the broker) decides which worker may try; the epoch (in the database, `transcript.take_lease`) decides whose
captions are stored. A worker that was only slow finds its key expired and sets it again; if another worker has the key,
or had the meeting meanwhile, it drops the meeting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import redis.asyncio

from meetings.broker.client import EVEN_WHEN_FULL

LEASE_MS = 4_000
"""Time after which a dead worker's meetings are free."""

RENEW_S = 1.0
WORKERS = "parlance:workers"
"""Sorted set of workers by the second of the broker's clock until which each counts as alive."""

# KEYS: lease. ARGV: worker, TTL in ms.
ACQUIRE = f"""{EVEN_WHEN_FULL}
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""

HELD, REGAINED, LOST = 1, 2, 0
"""Results of RENEW."""

# KEYS: lease. ARGV: worker, TTL in ms.
RENEW = f"""{EVEN_WHEN_FULL}
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return {LOST} end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return owner and {HELD} or {REGAINED}
"""

# KEYS: lease. ARGV: worker.
RELEASE_LEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"

# KEYS: workers. ARGV: worker, TTL in ms.
ALIVE = f"""{EVEN_WHEN_FULL}
local now = redis.call('TIME')[1]
redis.call('ZADD', KEYS[1], now + ARGV[2] / 1000, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
return redis.call('ZCARD', KEYS[1])
"""

# KEYS: workers.
COUNT = "return redis.call('ZCOUNT', KEYS[1], redis.call('TIME')[1], '+inf')"


def lease_key(meeting_id: str) -> str:
    return f"parlance:{{{meeting_id}}}:lease"


@dataclass(frozen=True, slots=True)
class Renewal:
    """The leases that were not simply renewed, by meeting id."""

    regained: frozenset[str]
    """They had expired. Another worker may have had them since: the epoch tells."""
    lost: frozenset[str]
    """Another worker has them."""


class Leases:
    """One worker's leases in the broker."""

    def __init__(self, broker: redis.asyncio.Redis, worker: str) -> None:
        self._broker = broker
        self._worker = worker
        self._acquire = broker.register_script(ACQUIRE)
        self._renew = broker.register_script(RENEW)
        self._release = broker.register_script(RELEASE_LEASE)
        self._alive = broker.register_script(ALIVE)

    async def acquire(self, meeting_id: str) -> bool:
        """Acquire the meeting's lease; return False if another worker holds it."""
        return bool(await self._acquire(keys=[lease_key(meeting_id)], args=[self._worker, LEASE_MS]))

    async def renew(self, meeting_ids: Sequence[str], *, is_ready: bool = True) -> Renewal:
        """Renew the leases in one round trip, and the worker's heartbeat if it is ready."""
        async with self._broker.pipeline(transaction=False) as together:
            for meeting_id in meeting_ids:
                await self._renew(keys=[lease_key(meeting_id)], args=[self._worker, LEASE_MS], client=together)
            if is_ready:
                await self._alive(keys=[WORKERS], args=[self._worker, LEASE_MS], client=together)
            results = await together.execute()
        found = dict(zip(meeting_ids, results, strict=False))
        return Renewal(_with_result(found, REGAINED), _with_result(found, LOST))

    async def release(self, meeting_id: str) -> None:
        await self._release(keys=[lease_key(meeting_id)], args=[self._worker])

    async def sign_off(self) -> None:
        """Remove the stopping worker from those that count as ready."""
        await self._broker.zrem(WORKERS, self._worker)


def _with_result(found: Mapping[str, int], result: int) -> frozenset[str]:
    return frozenset(meeting_id for meeting_id, found_result in found.items() if found_result == result)


def count_workers(broker: redis.Redis) -> int:
    """Return the number of workers with a heartbeat within the last lease time."""
    return int(broker.register_script(COUNT)(keys=[WORKERS]))
