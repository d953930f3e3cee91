"""Buckets of two processes, counted through a real broker."""

from __future__ import annotations

import pytest
import redis.asyncio

from meetings.broker.shared_buckets import HOST_ARRIVALS, HOST_MESSAGES, Bound, SharedBuckets, bucket_key


@pytest.mark.parametrize("bound", [HOST_ARRIVALS, HOST_MESSAGES])
async def test_so_often_and_no_more_whichever_process_is_asked(broker: redis.asyncio.Redis, bound: Bound) -> None:
    processes = [SharedBuckets(broker), SharedBuckets(broker)]
    taken = [await processes[number % 2].take(bound, "203.0.113.9") for number in range(bound.at_once)]
    assert taken == [True] * bound.at_once
    await broker.hset(bucket_key(bound, "203.0.113.9"), "left", 0)  # what time gave meanwhile
    assert not await processes[0].take(bound, "203.0.113.9")
    assert await processes[0].take(bound, "203.0.113.8")
    await broker.hincrby(bucket_key(bound, "203.0.113.9"), "at", -60_000 // bound.per_minute)
    assert await processes[1].take(bound, "203.0.113.9")


async def test_an_owner_who_stays_away_is_forgotten(broker: redis.asyncio.Redis) -> None:
    await SharedBuckets(broker).take(HOST_ARRIVALS, "203.0.113.9")
    assert 0 < await broker.pttl(bucket_key(HOST_ARRIVALS, "203.0.113.9")) <= 60_000
