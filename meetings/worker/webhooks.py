"""Send the webhook deliveries that are due, several at once. Nothing else waits for this job.

Each delivery fails on its own: its attempt is counted before it is made.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial

import structlog

from meetings import supervise
from meetings.models import Delivery
from meetings.store import webhooks
from meetings.threads import DaemonThreads
from meetings.worker import webhook_client

log = structlog.get_logger(__name__)

DELIVERY_POLL_S = 2.0
SLOTS = 16
"""Concurrent deliveries per worker."""

PER_USER = 2
"""Of these, per user: slow endpoints delay only deliveries of the same user."""


class WebhookJob:
    """Send webhooks. Of several workers, the one that claims a delivery sends it."""

    def __init__(self) -> None:
        self._threads = DaemonThreads("webhooks")
        self._sending: dict[asyncio.Task[None], int] = {}
        """The user id of each delivery in progress."""

    async def turn(self) -> None:
        """Start due deliveries while there are free slots; return when one is free again or after a poll interval."""
        free = SLOTS - len(self._sending)
        if free:
            find = partial(webhooks.due, limit=free, per_user=PER_USER, busy=Counter(self._sending.values()))
            for delivery in await self._threads.query(find):
                if await self._threads.query(partial(webhooks.claim, delivery)):
                    self._sending[asyncio.create_task(self._deliver(delivery))] = delivery.webhook.user_id
        await self._wait()

    async def _wait(self) -> None:
        if not self._sending:
            await asyncio.sleep(DELIVERY_POLL_S)
            return
        ended, _ = await asyncio.wait(self._sending, timeout=DELIVERY_POLL_S, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            del self._sending[task]
        for task in ended:
            task.result()

    async def _deliver(self, delivery: Delivery) -> None:
        [failure] = await asyncio.gather(webhook_client.send(delivery), return_exceptions=True)
        if isinstance(failure, BaseException):
            what = type(failure).__qualname__
            log.error("webhook_failed", delivery=delivery.pk, error=what, where=supervise.where(failure))
            failure = f"It could not be sent: {what}."
        await supervise.retry(lambda: self._threads.query(partial(webhooks.record_outcome, delivery, failure)))
