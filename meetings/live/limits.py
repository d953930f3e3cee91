"""How many sockets one address may hold in a process, how often it may come, and how many messages one socket may send.

Pure counting, in this process. What has to hold over all processes is kept in the broker (`audio.audiolog`).
"""

from __future__ import annotations

import ipaddress
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from channels.security.websocket import WebsocketDenier
from django.conf import settings

from meetings import descriptors
from meetings.accounts.client_address import client_address
from meetings.live.errors import SocketFault

MESSAGES_A_MINUTE = 100
"""Control messages of one socket, and as many at once (OWASP WebSocket Cheat Sheet)."""

CONFIRMATIONS_A_MINUTE = 3_000
"""`seen` messages of one socket that confirm nothing, and as many at once. A page sends twelve a minute."""

LANGUAGES_A_MINUTE = 12
"""Changes of the language that one socket reads, and as many at once: each sends the whole meeting again."""

PINGS_A_MINUTE = 60
"""Control frames of one socket (RFC 6455, 5.5), and as many at once: each ping is answered."""

MAX_SOCKETS = 1_000
"""Of one address: a building full of readers may share one. This machine itself has no bound."""

VISITS_A_MINUTE = 600
"""Handshakes of one address, and twice the sockets that it may hold at once: they all come back after a restart."""

FORGET_VISITS = 10_000
"""Addresses whose visits are kept in mind."""

IPV6_OF_ONE = 64
"""Bits of the network that one household or machine is given."""


class TokenBucket:
    """A token bucket over messages."""

    def __init__(self, now: float, per_minute: int = MESSAGES_A_MINUTE, *, at_once: int | None = None) -> None:
        """`at_once`: how many may come together; None: as many as in a minute."""
        self._rate = per_minute / 60
        self._size = float(per_minute if at_once is None else at_once)
        self._left = self._size
        self._at = now

    def allows(self, now: float) -> bool:
        """Take one message at clock time `now` (seconds, monotonic); return whether there was one left."""
        self._left = min(self._size, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def spend(self, now: float) -> None:
        """Take one message at clock time `now` (seconds, monotonic). Raises SocketFault `too_many_messages`."""
        if not self.allows(now):
            raise SocketFault("too_many_messages")


class SocketLimit:
    """Denies the handshake of an address that holds as many sockets as it may, or comes too often."""

    def __init__(
        self, application: Any, *, limit: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`limit`: sockets of one address; None: fewer than MAX_SOCKETS where descriptors are few."""
        self._application = application
        self._limit = limit
        self._clock = clock
        self._open: Counter[str] = Counter()
        self._visits: dict[str, TokenBucket] = {}

    @property
    def limit(self) -> int:
        """Asked at each handshake: the process raises its descriptors after this was made."""
        return min(MAX_SOCKETS, descriptors.connections() // 4) if self._limit is None else self._limit

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        address = socket_address(scope)
        if is_this_machine(address):
            return await self._application(scope, receive, send)
        crowd = network_of(address)
        if self._open[crowd] >= self.limit or not self._may_come(crowd):
            return await WebsocketDenier()(scope, receive, send)
        self._open[crowd] += 1
        try:
            return await self._application(scope, receive, send)
        finally:
            self._open[crowd] -= 1
            if not self._open[crowd]:
                del self._open[crowd]

    def _may_come(self, crowd: str) -> bool:
        now = self._clock()
        if crowd not in self._visits and len(self._visits) >= FORGET_VISITS:
            del self._visits[next(iter(self._visits))]
        # Whoever comes moves to the end: the first is the one that has stayed away for longest.
        visits = self._visits.pop(crowd, None) or TokenBucket(now, VISITS_A_MINUTE, at_once=2 * self.limit)
        self._visits[crowd] = visits
        return visits.allows(now)


def socket_address(scope: dict[str, Any]) -> str:
    """Who opens the socket, as trusted proxies say."""
    forwarded = ",".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for")
    peer = (scope.get("client") or ("",))[0]
    return client_address(peer, forwarded, settings.ENVIRONMENT.proxies)


def network_of(address: str) -> str:
    """Return what counts as one: an IPv4 address, or an IPv6 network of the size that one machine is given."""
    try:
        found = _address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(ipaddress.IPv6Network((int(found), IPV6_OF_ONE), strict=False))


def is_this_machine(address: str) -> bool:
    try:
        return _address(address).is_loopback
    except ValueError:
        return address == ""


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An IPv4 address that came in the form of an IPv6 one is what it was."""
    found = ipaddress.ip_address(text)
    return getattr(found, "ipv4_mapped", None) or found
