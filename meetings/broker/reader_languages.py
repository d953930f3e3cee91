"""Which languages are read right now, counted across web processes: only these are translated.

One sorted set per meeting in the broker: language → until when its reading is known of (Unix seconds of the broker's
clock, since those of two machines differ). Whoever serves readers says so again before that; a process that died falls
out by itself.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import redis.asyncio

TELL_S = 5.0
"""How often a web process says what is read there."""

KNOWN_S = 15.0
"""How long that holds."""

# KEYS: languages. ARGV: seconds that it holds, languages.
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
    """Told by web processes, asked by workers."""

    def __init__(self, broker: redis.asyncio.Redis) -> None:
        self._tell = broker.register_script(TELL)
        self._read = broker.register_script(READ)

    async def tell(self, meeting_id: str, languages: Collection[str]) -> None:
        """Somebody here reads the meeting in `languages`."""
        if languages:
            await self._tell(keys=[languages_key(meeting_id)], args=[KNOWN_S, *languages])

    async def languages(self, meeting_id: str) -> frozenset[str]:
        """All that are read somewhere."""
        members: Any = await self._read(keys=[languages_key(meeting_id)])
        return frozenset(member.decode() for member in members)
