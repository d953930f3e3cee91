"""Authorization of requests with a body to the API endpoints, checked after the head and before the body is read.

A server checks once for each request with a body (`meetings.serving.bodies`). Requests without one cost nothing and are
answered by their view.
"""

from __future__ import annotations

from collections import Counter

from channels.db import database_sync_to_async
from django.db import InterfaceError, OperationalError

from meetings import metrics
from meetings.accounts.api_errors import Refused
from meetings.accounts.api_tokens import user_of_token
from meetings.accounts.bearer import token_in
from meetings.broker.rate_limit import RateLimited, count_attempt

PATHS = b"/v1/"
REQUESTS_A_MINUTE = 60
"""Per user."""

MAX_AT_ONCE = 8
"""Requests of one user in one process, from the head to the end of the response."""

RETRY_AFTER_S = 5


class TokenGate:
    """The gate of one web process; implements `meetings.serving.bodies.Gate`."""

    def __init__(self) -> None:
        self._inside: Counter[int] = Counter()

    def guards(self, path: bytes) -> bool:
        """Return whether sending a body to `path` requires a token."""
        return path.startswith(PATHS)

    async def enter(self, authorization: str) -> ApiVisit:
        """Admit a request until its visit is left. Raises Refused."""
        user_id = await admit(authorization)
        if self._inside[user_id] >= MAX_AT_ONCE:
            sentence = f"{MAX_AT_ONCE} requests of yours are under way, the most at once."
            raise Refused(429, "rate_limit_exceeded", sentence, again_in_s=RETRY_AFTER_S)
        self._inside[user_id] += 1
        return ApiVisit(self, user_id)

    def leave(self, user_id: int) -> None:
        self._inside[user_id] -= 1
        if not self._inside[user_id]:
            del self._inside[user_id]


class ApiVisit:
    """One admitted request; leaving it twice has no effect."""

    def __init__(self, gate: TokenGate, user_id: int) -> None:
        self._gate: TokenGate | None = gate
        self._user_id = user_id

    def leave(self) -> None:
        gate, self._gate = self._gate, None
        if gate is not None:
            gate.leave(self._user_id)


def _look_up(authorization: str) -> int:
    user = user_of_token(token_in(authorization))
    if user is None:
        raise Refused(401, "invalid_api_key", "Send a token of yours: Authorization: Bearer …")
    try:
        count_attempt(f"api:{user.pk}", limit=REQUESTS_A_MINUTE, within_s=60)
    except RateLimited as error:
        sentence = f"Too many requests; go on in {error.seconds} s."
        raise Refused(429, "rate_limit_exceeded", sentence, again_in_s=error.seconds) from error
    return user.pk


async def admit(authorization: str) -> int:
    """Return the id of the token's user, and count the request. Raises Refused."""
    try:
        return await database_sync_to_async(_look_up, thread_sensitive=False)(authorization)
    except (OperationalError, InterfaceError) as error:
        sentence = "The server cannot look up tokens now; try again."
        raise Refused(503, "unavailable", sentence, again_in_s=RETRY_AFTER_S) from error
    except Refused as refused:
        metrics.errors.labels(refused.code).inc()
        raise
