"""Limits on the sockets of one address, on its handshakes, and on the messages of one socket.

All are counted in this process. Limits across processes are kept in the broker (`meetings.broker.host_arrivals`).
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
"""Control messages per socket, and the burst (OWASP WebSocket Cheat Sheet)."""

CONFIRMATIONS_A_MINUTE = 3_000
"""`seen` messages per socket that confirm nothing, and the burst. A page sends twelve a minute."""

LANGUAGES_A_MINUTE = 12
"""Language changes per socket, and the burst: each sends the whole meeting again."""

PINGS_A_MINUTE = 60
"""Control frames per socket (RFC 6455, 5.5), and the burst: each ping is answered."""

MAX_SOCKETS = 1_000
"""Sockets per address: a building full of viewers may share one. Loopback addresses have no limit."""

VISITS_A_MINUTE = 600
"""Handshakes per address. The burst is twice the socket limit, since all reconnect after a restart."""

FORGET_VISITS = 10_000
"""Addresses whose handshakes are counted."""

IPV6_OF_ONE = 64
"""Prefix length of the IPv6 network that one household or machine is given."""


class TokenBucket:
    """A token bucket of messages."""

    def __init__(self, now: float, per_minute: int = MESSAGES_A_MINUTE, *, at_once: int | None = None) -> None:
        """`at_once`: the burst; None: as many as in a minute."""
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
    """Deny the handshake if its address has too many sockets, or connects too often."""

    def __init__(
        self, application: Any, *, limit: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`limit`: sockets per address; None: MAX_SOCKETS, or fewer if file descriptors are scarce."""
        self._application = application
        self._limit = limit
        self._clock = clock
        self._open: Counter[str] = Counter()
        self._visits: dict[str, TokenBucket] = {}

    @property
    def limit(self) -> int:
        """Sockets per address. Computed at each handshake: the process raises its descriptor limit after start."""
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
        # Move the address to the end, so that the first is the least recent one.
        visits = self._visits.pop(crowd, None) or TokenBucket(now, VISITS_A_MINUTE, at_once=2 * self.limit)
        self._visits[crowd] = visits
        return visits.allows(now)


def socket_address(scope: dict[str, Any]) -> str:
    """Return the address that opens the socket, as reported by trusted proxies."""
    forwarded = ",".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for")
    peer = (scope.get("client") or ("",))[0]
    return client_address(peer, forwarded, settings.ENVIRONMENT.proxies)


def network_of(address: str) -> str:
    """Return the unit of counting: an IPv4 address, or an IPv6 network of the size that one machine is given."""
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
    """Parse an address. An IPv4-mapped IPv6 address becomes the IPv4 address."""
    found = ipaddress.ip_address(text)
    return getattr(found, "ipv4_mapped", None) or found
