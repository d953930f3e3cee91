from __future__ import annotations

import redis
import redis.asyncio

from meetings.broker.leases import Leases, count_workers, lease_key


async def test_one_worker_at_a_time(broker: redis.asyncio.Redis) -> None:
    first, second = Leases(broker, "first"), Leases(broker, "second")
    assert await first.acquire("m")
    assert not await second.acquire("m")
    assert await first.acquire("m"), "asking again for one's own is harmless"
    await second.release("m")
    assert not await second.acquire("m"), "only the owner can release"
    await first.release("m")
    assert await second.acquire("m")


async def test_a_worker_learns_what_it_lost(broker: redis.asyncio.Redis) -> None:
    first, second = Leases(broker, "first"), Leases(broker, "second")
    await first.acquire("kept")
    await first.acquire("lost")
    await broker.delete(lease_key("lost"))
    await second.acquire("lost")
    assert await first.renew(["kept", "lost"]) == {"lost"}


async def test_workers_are_counted_while_they_live(broker: redis.asyncio.Redis, broker_sync: redis.Redis) -> None:
    first, second = Leases(broker, "first"), Leases(broker, "second")
    assert count_workers(broker_sync) == 0
    await first.renew([])
    await second.renew([])
    assert count_workers(broker_sync) == 2
    await first.sign_off()
    assert count_workers(broker_sync) == 1
