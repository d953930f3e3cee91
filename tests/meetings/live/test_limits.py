from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings

from meetings import descriptors
from meetings.live.errors import SocketFault
from meetings.live.limits import (
    MAX_SOCKETS,
    MESSAGES_A_MINUTE,
    VISITS_A_MINUTE,
    SocketLimit,
    TokenBucket,
    is_this_machine,
    network_of,
    socket_address,
)


def scope(address: str, **headers: str) -> dict[str, Any]:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "websocket", "path": "/", "client": (address, 1234), "headers": named}


def test_a_minute_holds_so_many_messages() -> None:
    budget = TokenBucket(0.0)
    for _ in range(MESSAGES_A_MINUTE):
        budget.spend(0.0)
    with pytest.raises(SocketFault) as fault:
        budget.spend(0.5)
    assert (fault.value.code, fault.value.close_code) == ("too_many_messages", 4429)
    budget.spend(1.0)
    for _ in range(MESSAGES_A_MINUTE):
        budget.spend(1_000.0)
    with pytest.raises(SocketFault):
        budget.spend(1_000.0)


@pytest.mark.django_db(transaction=True)  # consumers of Channels close old connections before each message
async def test_an_address_holds_so_many_sockets() -> None:
    may_end = asyncio.Event()
    inside: list[str] = []

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        inside.append(scope["client"][0])
        await may_end.wait()

    denied: list[str] = []
    is_denied = asyncio.Event()

    async def send(message: dict[str, Any]) -> None:
        denied.append(message["type"])
        is_denied.set()

    coming = iter([{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1006}])

    async def receive() -> dict[str, Any]:
        return next(coming)

    limited = SocketLimit(application, limit=2)
    addresses = [*["203.0.113.9"] * 3, "203.0.113.8", *["127.0.0.1"] * 3]
    sockets = [asyncio.create_task(limited(scope(address), receive, send)) for address in addresses]
    await asyncio.wait_for(is_denied.wait(), 10)
    assert sorted(inside) == ["127.0.0.1"] * 3 + ["203.0.113.8"] + ["203.0.113.9"] * 2
    assert denied == ["websocket.close"]
    may_end.set()
    await asyncio.gather(*sockets)
    await limited(scope("203.0.113.9"), receive, send)
    assert inside[-1] == "203.0.113.9", "who has left makes room"


class Visits:
    """Handshakes at a limit whose clock a test turns; each socket leaves at once."""

    def __init__(self, limit: int) -> None:
        self.now = 0.0
        self.let_in = 0
        self._limited = SocketLimit(self._application, limit=limit, clock=lambda: self.now)

    async def come(self, address: str, times: int) -> int:
        """How many of so many visits are let in."""
        before = self.let_in
        for _ in range(times):
            coming = iter([{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1006}])
            await self._limited(scope(address), self._receiver(coming), self._send)
        return self.let_in - before

    async def _application(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.let_in += 1

    def _receiver(self, coming: Iterator[dict[str, Any]]) -> Any:
        async def receive() -> dict[str, Any]:
            return next(coming)

        return receive

    async def _send(self, message: dict[str, Any]) -> None:
        assert message["type"] == "websocket.close"


@pytest.mark.django_db(transaction=True)
async def test_an_address_may_come_so_often() -> None:
    visits = Visits(limit=5)
    assert await visits.come("203.0.113.9", 12) == 10, "twice what it may hold, at once"
    assert await visits.come("203.0.113.8", 1) == 1
    visits.now = 60 / VISITS_A_MINUTE
    assert await visits.come("203.0.113.9", 2) == 1
    assert await visits.come("127.0.0.1", 20) == 20


@pytest.mark.parametrize(
    ("address", "crowd"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::2", "::/64"),
        ("", ""),
        ("/run/web.sock", "/run/web.sock"),
    ],
)
def test_a_network_of_one_machine_counts_as_one(address: str, crowd: str) -> None:
    assert network_of(address) == crowd


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", ""])
def test_this_machine_is_known_in_every_form(address: str) -> None:
    assert is_this_machine(address)


def test_few_descriptors_make_few_sockets_of_one_address(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = SocketLimit(None)
    monkeypatch.setattr(descriptors, "limit", lambda: 65_536)
    assert limit.limit == MAX_SOCKETS
    monkeypatch.setattr(descriptors, "limit", lambda: 1_024)
    assert limit.limit == 96


def test_the_address_is_the_one_behind_our_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    forwarded = scope("127.0.0.1", x_forwarded_for="6.6.6.6, 203.0.113.9")
    assert socket_address(forwarded) == "127.0.0.1"
    monkeypatch.setattr(settings, "ENVIRONMENT", replace(settings.ENVIRONMENT, proxies=["127.0.0.1"]))
    assert socket_address(forwarded) == "203.0.113.9"
    assert socket_address({"headers": []}) == ""
