"""Which languages are read, as counted through a real broker."""

from __future__ import annotations

import time

import pytest
import redis.asyncio

from meetings.broker import reader_languages
from meetings.broker.reader_languages import ReaderLanguages, languages_key


async def test_languages_of_all_processes_count_once(broker: redis.asyncio.Redis) -> None:
    await ReaderLanguages(broker).report("m", ["pt", "es"])
    await ReaderLanguages(broker).report("m", ["pt"])
    await ReaderLanguages(broker).report("other", ["fr"])
    assert await ReaderLanguages(broker).languages("m") == {"pt", "es"}


async def test_a_language_that_nobody_speaks_of_any_more_falls_out(broker: redis.asyncio.Redis) -> None:
    await ReaderLanguages(broker).report("m", ["es"])
    await broker.zincrby(languages_key("m"), -reader_languages.KNOWN_S, "es")
    await ReaderLanguages(broker).report("m", ["pt"])
    assert await ReaderLanguages(broker).languages("m") == {"pt"}


@pytest.mark.parametrize("skew_s", [-3600.0, 3600.0])
async def test_clocks_of_machines_do_not_matter(
    broker: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch, skew_s: float
) -> None:
    """A web process tells, and a worker asks whose machine's clock is an hour off."""
    await ReaderLanguages(broker).report("m", ["pt"])
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + skew_s)
    assert await ReaderLanguages(broker).languages("m") == {"pt"}
    await ReaderLanguages(broker).report("m", ["es"])
    monkeypatch.undo()
    assert await ReaderLanguages(broker).languages("m") == {"pt", "es"}
    await broker.zincrby(languages_key("m"), -reader_languages.KNOWN_S, "es")
    assert await ReaderLanguages(broker).languages("m") == {"pt"}, "and none is read for longer than it is told of"


async def test_nobody_reads_another_language(broker: redis.asyncio.Redis) -> None:
    await ReaderLanguages(broker).report("m", [])
    assert await ReaderLanguages(broker).languages("m") == frozenset()
    assert await broker.exists(languages_key("m")) == 0


async def test_a_meeting_that_nobody_speaks_of_leaves_nothing(broker: redis.asyncio.Redis) -> None:
    await ReaderLanguages(broker).report("m", ["pt"])
    assert 0 < await broker.ttl(languages_key("m")) <= 2 * reader_languages.KNOWN_S
