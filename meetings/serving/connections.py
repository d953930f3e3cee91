"""Limit the connections of a web process, in total and per address. Excess connections are refused at once.

The address is the peer's. All clients of a trusted proxy share one, so it counts towards the total only
(`PARLANCE_PROXIES`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from meetings import descriptors
from meetings.accounts.client_address import is_proxy
from meetings.live.limits import is_this_machine, network_of

MAX_CONNECTIONS = 10_000
MOST_OF_ONE = 1_500
"""Sockets (`limits.MAX_SOCKETS`), and the pages in addition to them."""

BUSY = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 10\r\nContent-Length: 0\r\n\r\n"
"""The response when the limit is reached."""


@dataclass(slots=True, eq=False)
class ConnectionSlot:
    """The slot of one connection. Release it once."""

    _connections: Connections
    _crowd: str
    """Empty: counts towards the total only."""
    _is_held: bool = True

    def leave(self) -> None:
        if self._is_held:
            self._is_held = False
            self._connections.give_back(self._crowd)


class Connections:
    """The connections of one process."""

    def __init__(self, *, most: int | None = None, most_of_one: int = MOST_OF_ONE, proxies: Sequence[str] = ()) -> None:
        """`most`: the total; defaults to what the file descriptors allow."""
        self._most = min(MAX_CONNECTIONS, descriptors.connections()) if most is None else most
        self._most_of_one = min(most_of_one, max(1, self._most // 2))
        self._proxies = proxies
        self._count = 0
        self._of_one: Counter[str] = Counter()

    def enter(self, address: str) -> ConnectionSlot | None:
        """Return a slot for a connection from `address`, or None if there is none left."""
        is_trusted = is_this_machine(address) or is_proxy(address, self._proxies)
        crowd = "" if is_trusted else network_of(address)
        if self._count >= self._most or (crowd and self._of_one[crowd] >= self._most_of_one):
            return None
        self._count += 1
        if crowd:
            self._of_one[crowd] += 1
        return ConnectionSlot(self, crowd)

    def give_back(self, crowd: str) -> None:
        self._count -= 1
        if crowd:
            self._of_one[crowd] -= 1
            if not self._of_one[crowd]:
                del self._of_one[crowd]
