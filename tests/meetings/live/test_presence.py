"""Whether a host's socket lives, asked between two web processes (two `Presence`) over the real broker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import redis
import redis.asyncio

from meetings.live import presence
from meetings.live.presence import Presence, Probes, process_channel


async def yes() -> bool:
    return True


async def no() -> bool:
    return False


@asynccontextmanager
async def socket_in(process: Presence, lives: presence.Lives) -> AsyncIterator[str]:
    connection = process.new_connection()
    await process.enter(connection, lives)
    yield connection
    process.leave(connection)


async def test_a_socket_is_asked_about_wherever_it_is(broker: redis.asyncio.Redis) -> None:
    here, elsewhere = Presence(broker), Presence(broker)
    async with socket_in(here, yes) as living, socket_in(here, no) as dead:
        for asking in (here, elsewhere):
            assert await asking.lives(living)
            assert not await asking.lives(dead)
            assert not await asking.lives(here.new_connection())
    assert not await elsewhere.lives(living), "its socket has left"


async def test_a_process_that_is_gone_answers_at_once(broker: redis.asyncio.Redis) -> None:
    asked_at = time.monotonic()
    assert not await Presence(broker).lives(Presence(broker).new_connection())
    assert time.monotonic() - asked_at < presence.PRESENCE_ANSWER_S


async def test_a_process_that_stands_still_is_not_waited_for_long(broker: redis.asyncio.Redis) -> None:
    """Stopped by a signal, its subscription still counts at the broker."""
    stopped = Presence(broker)
    async with broker.pubsub() as subscription:
        connection = stopped.new_connection()
        await subscription.subscribe(process_channel(connection.partition(".")[0]))
        assert await subscription.get_message(timeout=5) is not None
        assert not await Presence(broker).lives(connection)


async def test_several_are_asked_about_at_once(broker: redis.asyncio.Redis) -> None:
    """One browser that does not answer must not make the others' answers late."""
    here, elsewhere = Presence(broker), Presence(broker)
    everybody_asked = asyncio.Event()
    asked = 0

    async def slowly() -> bool:
        nonlocal asked
        asked += 1
        if asked == 5:
            everybody_asked.set()
        await everybody_asked.wait()
        return True

    async with socket_in(here, slowly) as connection:
        assert await asyncio.gather(*(elsewhere.lives(connection) for _ in range(5))) == [True] * 5


async def test_what_is_no_question_ends_nothing(broker: redis.asyncio.Redis) -> None:
    here, elsewhere = Presence(broker), Presence(broker)
    async with socket_in(here, yes) as connection:
        for junk in ("", "[]", "{", '{"connection": 1}', "[" * 5_000):
            await broker.publish(process_channel(connection.partition(".")[0]), junk)
        assert await elsewhere.lives(connection)


async def test_questions_are_heard_again_after_the_broker_was_away(
    broker: redis.asyncio.Redis, broker_sync: redis.Redis
) -> None:
    here, elsewhere = Presence(broker), Presence(broker)
    async with socket_in(here, yes) as connection:
        await asyncio.to_thread(broker_sync.client_kill_filter, _type="pubsub")
        async with asyncio.timeout(20):
            while not await elsewhere.lives(connection):
                pass


async def test_a_ping_is_answered_in_time_or_not() -> None:
    probes = Probes()
    assert await probes.ask(probes.answer, 20)
    assert not await probes.ask(lambda _: probes.answer(b"another's"), 0.01)
    assert not await probes.ask(lambda _: probes.close(), 20), "the connection is gone"
    assert not await probes.ask(lambda _: None, 0.01)
