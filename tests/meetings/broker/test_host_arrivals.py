"""How often hosts of an address come, counted through a real broker."""

from __future__ import annotations

import redis.asyncio

from meetings.broker.host_arrivals import HOSTS_A_MINUTE, HostArrivals, arrivals_key


async def test_hosts_of_an_address_come_so_often(broker: redis.asyncio.Redis) -> None:
    """Whichever web process they come to."""
    processes = [HostArrivals(broker), HostArrivals(broker)]
    admitted = [await processes[number % 2].admit("203.0.113.9") for number in range(HOSTS_A_MINUTE)]
    assert admitted == [True] * HOSTS_A_MINUTE
    await broker.hset(arrivals_key("203.0.113.9"), "left", 0)  # what time gave meanwhile
    assert not await processes[0].admit("203.0.113.9")
    assert await processes[0].admit("203.0.113.8")
    await broker.hincrby(arrivals_key("203.0.113.9"), "at", -60_000 // HOSTS_A_MINUTE)
    assert await processes[1].admit("203.0.113.9")


async def test_who_stays_away_is_forgotten(broker: redis.asyncio.Redis) -> None:
    await HostArrivals(broker).admit("203.0.113.9")
    assert 0 < await broker.pttl(arrivals_key("203.0.113.9")) <= 60_000
