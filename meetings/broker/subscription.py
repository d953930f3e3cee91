"""A broker subscription that can be lost and reopened."""

from __future__ import annotations

from contextlib import suppress

import redis.asyncio
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError, TimeoutError

SUBSCRIPTION_POLL_S = 5.0
"""Timeout of one wait for a message."""

CONFIRM_S = 5.0


class BrokerSubscription:
    """The messages of one channel, from when `open` has returned until the connection is lost."""

    def __init__(self, broker: redis.asyncio.Redis, name: str) -> None:
        self._broker = broker
        self._name = name
        self._pubsub: PubSub | None = None

    @property
    def is_open(self) -> bool:
        return self._pubsub is not None

    async def open(self) -> None:
        """Subscribe, and wait for the broker's confirmation, so that no later message is missed."""
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
        """Return the next message, or None after POLL_S without one. An error closes the channel."""
        assert self._pubsub is not None, "open comes first"
        try:
            message = await self._pubsub.get_message(timeout=SUBSCRIPTION_POLL_S)
        except (RedisError, ConnectionError):
            await self.close()
            raise
        return message["data"] if message is not None and message["type"] == "message" else None

    async def close(self) -> None:
        pubsub, self._pubsub = self._pubsub, None
        if pubsub is not None:
            with suppress(RedisError, ConnectionError):
                await pubsub.aclose()
