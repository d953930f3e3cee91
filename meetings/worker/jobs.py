"""Background jobs of a worker: store transcript files, send webhooks, erase deleted meetings, apply retention."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import redis.asyncio

from meetings.worker.erasure import ErasureJob
from meetings.worker.results import RESULTS_POLL_S, ResultsJob
from meetings.worker.retention import RetentionJob
from meetings.worker.webhooks import WebhookJob

Loop = tuple[str, Callable[[], Awaitable[object]], float]
"""A name for logs, a step, and the seconds between two steps."""


class Jobs:
    """A worker's background jobs. Claims and leases ensure that only one of several workers does each piece of work."""

    def __init__(self, worker: str, broker: redis.asyncio.Redis) -> None:
        self._archiving = ResultsJob()
        self._delivering = WebhookJob()
        self._erasing = ErasureJob()
        self._purging = RetentionJob(worker, broker)

    def loops(self) -> list[Loop]:
        """Return each job as a loop of its own, so that a slow or failing job stops no other."""
        return [
            ("archiving", self._archiving.turn, RESULTS_POLL_S),
            ("delivering", self._delivering.turn, 0.0),
            ("erasing", self._erasing.turn, RESULTS_POLL_S),
            ("purging", self._purging.turn, RESULTS_POLL_S),
        ]
