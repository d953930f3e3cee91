"""Deadlines for a request to arrive. They are total, so that a byte now and then does not extend them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

IDLE_TIMEOUT_S = 60.0
"""Time without a byte of the first request, or of the next."""

HEAD_S = 20.0
"""From a request's first byte to the end of its headers."""

BODY_GRACE_S = 60.0
BODY_BYTES_A_SECOND = 4_000
"""Minimum average rate of a body that takes longer than the grace period: a poor mobile connection reaches it."""

BODY_LOOK_S = 10.0

TAKE_S = 60.0
"""How long a client may take nothing of a response."""


class RequestClock:
    """The deadlines of one connection. Calls `expire` when one has passed."""

    def __init__(self, expire: Callable[[], object]) -> None:
        self._loop = asyncio.get_running_loop()
        self._expire = expire
        self._timer: asyncio.TimerHandle | None = None
        self._stage = ""
        self._began = 0.0
        self._received = 0

    def await_request(self) -> None:
        """Start to wait for the next request."""
        self._begin("request", IDLE_TIMEOUT_S, self._expire)

    def await_head(self) -> None:
        """Start to wait for the rest of the headers."""
        if self._stage != "head":
            self._begin("head", HEAD_S, self._expire)

    def await_body(self) -> None:
        """Start to wait for the body, after the headers are complete."""
        if self._stage != "body":
            self._received = 0
            self._began = self._loop.time()
            self._begin("body", BODY_GRACE_S, self._look_at_body)

    def receive(self, size: int) -> None:
        """Count `size` received bytes."""
        if self._stage == "request":
            self.await_head()
        self._received += size

    def stop(self) -> None:
        """Stop: the request is complete, or the connection is gone."""
        self._stage = ""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _begin(self, stage: str, seconds: float, then: Callable[[], object]) -> None:
        self.stop()
        self._stage = stage
        self._timer = self._loop.call_later(seconds, then)

    def _look_at_body(self) -> None:
        late_s = self._loop.time() - self._began - BODY_GRACE_S
        if self._received < late_s * BODY_BYTES_A_SECOND:
            self._expire()
        else:
            self._timer = self._loop.call_later(BODY_LOOK_S, self._look_at_body)
