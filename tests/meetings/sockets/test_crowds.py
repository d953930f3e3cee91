from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings

from meetings.sockets.crowds import MESSAGES_A_MINUTE, MessageBudget, SocketLimit, socket_address
from meetings.sockets.errors import SocketFault


def scope(address: str, **headers: str) -> dict[str, Any]:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "websocket", "path": "/", "client": (address, 1234), "headers": named}


def test_a_minute_holds_so_many_messages() -> None:
    budget = MessageBudget(0.0)
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


def test_the_address_is_the_one_behind_our_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    forwarded = scope("127.0.0.1", x_forwarded_for="6.6.6.6, 203.0.113.9")
    assert socket_address(forwarded) == "127.0.0.1"
    monkeypatch.setattr(settings, "ENVIRONMENT", replace(settings.ENVIRONMENT, proxies=["127.0.0.1"]))
    assert socket_address(forwarded) == "203.0.113.9"
    assert socket_address({"headers": []}) == ""
