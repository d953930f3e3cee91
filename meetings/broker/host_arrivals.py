"""Limit how often hosts of one address may connect, across all web processes and by the broker's clock."""

from __future__ import annotations

import redis.asyncio

HOSTS_A_MINUTE = 120
"""Connections per address, and the burst: a house full of hosts reconnects after a restart."""

# KEYS: bucket. ARGV: size, refill a ms.
ADMIT = """
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


def arrivals_key(crowd: str) -> str:
    return f"parlance:arrivals:{crowd}"


class HostArrivals:
    """A token bucket per address. Full buckets are not stored."""

    def __init__(self, broker: redis.asyncio.Redis) -> None:
        self._admit = broker.register_script(ADMIT)

    async def admit(self, crowd: str) -> bool:
        """Return whether one more host may connect."""
        return bool(await self._admit(keys=[arrivals_key(crowd)], args=[HOSTS_A_MINUTE, HOSTS_A_MINUTE / 60_000]))
