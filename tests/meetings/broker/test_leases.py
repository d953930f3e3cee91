from __future__ import annotations

import redis
import redis.asyncio

from meetings.broker.leases import LEASE_MS, Leases, Renewal, count_workers, lease_key


async def test_one_worker_at_a_time(broker: redis.asyncio.Redis) -> None:
    first, second = Leases(broker, "first"), Leases(broker, "second")
    assert await first.acquire("m")
    assert not await second.acquire("m")
    assert await first.acquire("m"), "asking again for one's own is harmless"
    await second.release("m")
    assert not await second.acquire("m"), "only the owner can release"
    await first.release("m")
    assert await second.acquire("m")


async def test_a_worker_learns_what_it_lost_and_what_nobody_took(broker: redis.asyncio.Redis) -> None:
    first, second = Leases(broker, "first"), Leases(broker, "second")
    for meeting_id in ("kept", "lost", "expired"):
        await first.acquire(meeting_id)
    await broker.delete(lease_key("lost"), lease_key("expired"))
    await second.acquire("lost")
    assert await first.renew(["kept", "lost", "expired"]) == Renewal(frozenset({"expired"}), frozenset({"lost"}))
    assert not await second.acquire("expired")
    assert 0 < await broker.pttl(lease_key("expired")) <= LEASE_MS


async def test_workers_are_counted_while_they_live(broker: redis.asyncio.Redis, broker_sync: redis.Redis) -> None:
    first, second = Leases(broker, "first"), Leases(broker, "second")
    assert count_workers(broker_sync) == 0
    await first.renew([])
    await second.renew([])
    assert count_workers(broker_sync) == 2
    await first.sign_off()
    assert count_workers(broker_sync) == 1
