"""A worker's part in webhooks: sends what is due, several at once; nothing else waits for it.

A delivery that fails, for whatever reason, fails by itself: its attempt was counted before it was made.
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
"""Deliveries of one worker under way."""

PER_USER = 2
"""Of these, of one user: addresses that answer slowly hold up those of the same user alone."""


class WebhookJob:
    """Belongs to one worker; of several, whoever claims a delivery sends it."""

    def __init__(self) -> None:
        self._threads = DaemonThreads("webhooks")
        self._sending: dict[asyncio.Task[None], int] = {}
        """By the user whose delivery it is."""

    async def turn(self) -> None:
        """Begin what is due and has a slot; return when a slot is free again, or when it is time to look again."""
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
