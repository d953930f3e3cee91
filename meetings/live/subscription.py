"""One subscription at the broker, that can be lost and opened again."""

from __future__ import annotations

from contextlib import suppress

import redis.asyncio
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError, TimeoutError

POLL_S = 5.0
"""How long a message is waited for at once."""

CONFIRM_S = 5.0


class BrokerSubscription:
    """Messages of one channel, from when `open` has returned until the connection is lost."""

    def __init__(self, broker: redis.asyncio.Redis, name: str) -> None:
        self._broker = broker
        self._name = name
        self._pubsub: PubSub | None = None

    @property
    def is_open(self) -> bool:
        return self._pubsub is not None

    async def open(self) -> None:
        """Subscribe. The broker has confirmed it when this returns, so nothing is missed from then on."""
        await self.close()
        self._pubsub = pubsub = self._broker.pubsub()
        try:
            await pubsub.subscribe(self._name)
            if await pubsub.get_message(timeout=CONFIRM_S) is None:
                raise TimeoutError("The broker confirms no subscription.")
        except BaseException:
            await self.close()
            raise

    async def next(self) -> bytes | None:
        """Return the next message; None where nothing came for a while. An error closes the channel."""
        assert self._pubsub is not None, "open comes first"
        try:
            message = await self._pubsub.get_message(timeout=POLL_S)
        except (RedisError, ConnectionError):
            await self.close()
            raise
        return message["data"] if message is not None and message["type"] == "message" else None

    async def close(self) -> None:
        pubsub, self._pubsub = self._pubsub, None
        if pubsub is not None:
            with suppress(RedisError, ConnectionError):
                await pubsub.aclose()
