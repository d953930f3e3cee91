"""Which languages are read, as counted through a real broker."""

from __future__ import annotations

import redis.asyncio

from meetings.sockets import readership
from meetings.sockets.readership import Readership, languages_key


async def test_languages_of_all_processes_count_once(broker: redis.asyncio.Redis) -> None:
    await Readership(broker).tell("m", ["pt", "es"])
    await Readership(broker).tell("m", ["pt"])
    await Readership(broker).tell("other", ["fr"])
    assert await Readership(broker).languages("m") == {"pt", "es"}


async def test_a_language_that_nobody_speaks_of_any_more_falls_out(broker: redis.asyncio.Redis, monkeypatch) -> None:
    await Readership(broker).tell("m", ["es"])
    later = readership.time.time() + readership.KNOWN_S
    monkeypatch.setattr(readership.time, "time", lambda: later + 0.001)
    await Readership(broker).tell("m", ["pt"])
    assert await Readership(broker).languages("m") == {"pt"}


async def test_nobody_reads_another_language(broker: redis.asyncio.Redis) -> None:
    await Readership(broker).tell("m", [])
    assert await Readership(broker).languages("m") == frozenset()
    assert await broker.exists(languages_key("m")) == 0


async def test_a_meeting_that_nobody_speaks_of_leaves_nothing(broker: redis.asyncio.Redis) -> None:
    await Readership(broker).tell("m", ["pt"])
    assert 0 < await broker.ttl(languages_key("m")) <= 2 * readership.KNOWN_S
