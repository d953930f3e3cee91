"""The languages being read now, across web processes: only these are translated.

One sorted set per meeting in the broker maps each language to its expiry (Unix seconds of the broker's clock, since
clocks of two machines differ). Web processes renew it in time; the entries of a dead process expire.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import redis.asyncio

TELL_S = 5.0
"""Interval at which a web process reports the languages read there."""

KNOWN_S = 15.0
"""Time to live of a report."""

# KEYS: languages. ARGV: TTL in seconds, languages.
TELL = """
local time = redis.call('TIME')
local till = time[1] + time[2] / 1000000 + ARGV[1]
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], till, ARGV[i]) end
return redis.call('EXPIRE', KEYS[1], math.ceil(2 * ARGV[1]))
"""

# KEYS: languages.
READ = """
local time = redis.call('TIME')
return redis.call('ZRANGEBYSCORE', KEYS[1], time[1] + time[2] / 1000000, '+inf')
"""


def languages_key(meeting_id: str) -> str:
    return f"parlance:{{{meeting_id}}}:languages"


class ReaderLanguages:
    """Written by web processes, read by workers."""

    def __init__(self, broker: redis.asyncio.Redis) -> None:
        self._tell = broker.register_script(TELL)
        self._read = broker.register_script(READ)

    async def report(self, meeting_id: str, languages: Collection[str]) -> None:
        """Report that viewers of this process read the meeting in `languages`."""
        if languages:
            await self._tell(keys=[languages_key(meeting_id)], args=[KNOWN_S, *languages])

    async def languages(self, meeting_id: str) -> frozenset[str]:
        """Return the languages read in any process."""
        members: Any = await self._read(keys=[languages_key(meeting_id)])
        return frozenset(member.decode() for member in members)
