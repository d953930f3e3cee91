"""A worker's part in webhooks: sends what is due, in a thread of its own; nothing waits for it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import structlog
from django.db import DatabaseError, close_old_connections

from meetings.programs import webhooks

log = structlog.get_logger(__name__)

BATCH = 5
"""Deliveries a turn."""


class Delivering:
    """Belongs to one worker; of several, whoever claims a delivery sends it."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="webhooks")

    async def turn(self) -> None:
        """Sends what is due."""
        await asyncio.get_running_loop().run_in_executor(self._thread, deliver)


def deliver() -> None:
    """One batch; a database that is away is asked again at the next turn."""
    close_old_connections()
    try:
        for delivery in webhooks.due(limit=BATCH):
            if webhooks.claim(delivery):
                taken = webhooks.attempt(delivery)
                log.info("webhook_sent", delivery=delivery.pk, attempts=delivery.attempts + 1, taken=taken)
        webhooks.forget_old()
    except DatabaseError as error:
        log.warning("webhooks_not_sent", error=type(error).__name__)
