"""Token buckets in the broker: how often something may happen, over all web processes and by the broker's clock."""

from __future__ import annotations

from dataclasses import dataclass

import redis.asyncio

# KEYS: bucket. ARGV: size, refill a ms.
TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local size, rate = tonumber(ARGV[1]), tonumber(ARGV[2])
local bucket = redis.call('HMGET', KEYS[1], 'left', 'at')
local left = bucket[1] and math.min(size, bucket[1] + (now - bucket[2]) * rate) or size
if left < 1 then return 0 end
redis.call('HSET', KEYS[1], 'left', left - 1, 'at', now)
redis.call('PEXPIRE', KEYS[1], math.ceil(size / rate))
return 1
"""


@dataclass(frozen=True, slots=True)
class Bound:
    """How often one kind of thing may happen to each owner."""

    name: str
    """Part of the key."""
    at_once: int
    per_minute: int


HOST_ARRIVALS = Bound("arrivals", at_once=120, per_minute=120)
"""Connections of hosts from one address: a house full of hosts comes back after a restart."""

HOST_MESSAGES = Bound("control", at_once=100, per_minute=100)
"""Control messages to one meeting, however many sockets they come by (OWASP WebSocket Cheat Sheet)."""


def bucket_key(bound: Bound, owner: str) -> str:
    return f"parlance:{bound.name}:{owner}"


class SharedBuckets:
    """A token bucket for each owner. A full one is kept nowhere."""

    def __init__(self, broker: redis.asyncio.Redis) -> None:
        self._take = broker.register_script(TAKE)

    async def take(self, bound: Bound, owner: str) -> bool:
        """Take a token of the owner's bucket; return whether there was one left."""
        return bool(await self._take(keys=[bucket_key(bound, owner)], args=[bound.at_once, bound.per_minute / 60_000]))
