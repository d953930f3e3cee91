"""Which languages are read right now, counted across web processes: only these are translated.

One sorted set per meeting in the broker: language → until when its reading is known of (Unix seconds). Whoever serves
readers says so again before that; a process that died falls out by itself.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any

import redis.asyncio

TELL_S = 5.0
"""How often a web process says what is read there."""

KNOWN_S = 15.0
"""How long that holds."""


def languages_key(meeting_id: str) -> str:
    return f"parlance:{{{meeting_id}}}:languages"


class Readership:
    """Told by web processes, asked by workers."""

    def __init__(self, broker: redis.asyncio.Redis) -> None:
        self._broker = broker

    async def tell(self, meeting_id: str, languages: Collection[str]) -> None:
        """Somebody here reads the meeting in `languages`."""
        if languages:
            until = time.time() + KNOWN_S
            async with self._broker.pipeline(transaction=False) as pipeline:
                pipeline.zadd(languages_key(meeting_id), dict.fromkeys(languages, until))
                pipeline.expire(languages_key(meeting_id), round(2 * KNOWN_S))
                await pipeline.execute()

    async def languages(self, meeting_id: str) -> frozenset[str]:
        """All that are read somewhere."""
        members: Any = await self._broker.zrangebyscore(languages_key(meeting_id), time.time(), "+inf")
        return frozenset(member.decode() for member in members)
