"""How many sockets one address may hold in a process, and how many messages one socket may send: pure counting."""

from __future__ import annotations

import ipaddress
from collections import Counter
from typing import Any

from channels.security.websocket import WebsocketDenier
from django.conf import settings

from meetings.accounts.addresses import client_address
from meetings.sockets.errors import SocketFault

MESSAGES_A_MINUTE = 100
"""Control messages of one socket, and as many at once (OWASP WebSocket Cheat Sheet)."""

MAX_SOCKETS = 1_000
"""Of one address: a building full of readers may share one. This machine itself has no bound."""


class MessageBudget:
    """A token bucket over control messages."""

    def __init__(self, now: float) -> None:
        self._left = float(MESSAGES_A_MINUTE)
        self._at = now

    def spend(self, now: float) -> None:
        """Takes one message at clock time `now` (seconds, monotonic). Raises SocketFault `too_many_messages`."""
        self._left = min(float(MESSAGES_A_MINUTE), self._left + (now - self._at) * MESSAGES_A_MINUTE / 60)
        self._at = now
        if self._left < 1:
            raise SocketFault("too_many_messages")
        self._left -= 1


class SocketLimit:
    """Denies the handshake of an address that holds as many sockets as it may."""

    def __init__(self, application: Any, *, limit: int = MAX_SOCKETS) -> None:
        self._application = application
        self._limit = limit
        self._open: Counter[str] = Counter()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        address = socket_address(scope)
        if _is_this_machine(address):
            return await self._application(scope, receive, send)
        if self._open[address] >= self._limit:
            return await WebsocketDenier()(scope, receive, send)
        self._open[address] += 1
        try:
            return await self._application(scope, receive, send)
        finally:
            self._open[address] -= 1
            if not self._open[address]:
                del self._open[address]


def socket_address(scope: dict[str, Any]) -> str:
    """Who opens the socket, as trusted proxies say."""
    forwarded = ",".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for")
    peer = (scope.get("client") or ("",))[0]
    return client_address(peer, forwarded, settings.ENVIRONMENT.proxies)


def _is_this_machine(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == ""
