"""Who is let in with a recording, and how many at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import redis
from django.contrib.auth.models import User
from django.db import OperationalError

from meetings.accounts import api_gate
from meetings.accounts.api_errors import Refused
from meetings.accounts.api_gate import TokenGate
from meetings.accounts.api_tokens import create_token
from meetings.accounts.bearer import new_token
from meetings.models import ApiToken

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("broker_sync")]


@pytest.fixture
def user() -> User:
    return User.objects.create_user("ana")


@pytest.fixture
def bearer(user: User) -> str:
    return f"Bearer {create_token(user, 'script')}"


async def refusal(door: TokenGate, authorization: str) -> tuple[int, str]:
    with pytest.raises(Refused) as refused:
        await door.enter(authorization)
    return refused.value.status, refused.value.code


async def test_whose_token_counts_is_let_in(bearer: str) -> None:
    visit = await TokenGate().enter(bearer)
    visit.leave()


async def test_nobody_else_is(bearer: str, user: User) -> None:
    door, unknown = TokenGate(), (401, "invalid_api_key")
    for authorization in (
        "",
        "Bearer",
        "Bearer x",
        f"Bearer {new_token()}",
        bearer[:-1],
        bearer.removeprefix("Bearer "),
    ):
        assert await refusal(door, authorization) == unknown
    await User.objects.filter(pk=user.pk).aupdate(is_active=False)
    assert await refusal(door, bearer) == unknown
    await User.objects.filter(pk=user.pk).aupdate(is_active=True)
    await ApiToken.objects.all().adelete()
    assert await refusal(door, bearer) == unknown, "revoked"


async def test_requests_are_counted(bearer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_gate, "REQUESTS_A_MINUTE", 2)
    for _ in range(2):
        (await TokenGate().enter(bearer)).leave()
    with pytest.raises(Refused) as refused:
        await TokenGate().enter(bearer)
    assert (refused.value.status, refused.value.code) == (429, "rate_limit_exceeded")
    assert 0 < int(refused.value.headers["Retry-After"]) <= 60


async def test_so_many_of_a_user_are_inside_at_once(bearer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_gate, "MAX_AT_ONCE", 2)
    door = TokenGate()
    other = f"Bearer {await asyncio.to_thread(create_token, await User.objects.acreate(username='bea'), 'script')}"
    first, _ = await door.enter(bearer), await door.enter(bearer)
    assert await refusal(door, bearer) == (429, "rate_limit_exceeded")
    (await door.enter(other)).leave()
    first.leave()
    first.leave()  # once is enough
    await door.enter(bearer)
    assert await refusal(door, bearer) == (429, "rate_limit_exceeded")


async def test_a_database_that_is_away_is_said(bearer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(token: str) -> None:
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr(api_gate, "user_of_token", away)
    assert await refusal(TokenGate(), bearer) == (503, "unavailable")


async def test_without_a_broker_nothing_can_be_counted(bearer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meetings.broker.client.broker_url", lambda: "unix:///nowhere/valkey.sock")
    assert await refusal(TokenGate(), bearer) == (429, "rate_limit_exceeded")


async def test_what_is_not_ours_is_not_looked_up(monkeypatch: pytest.MonkeyPatch, broker_sync: redis.Redis) -> None:
    def asked(**_: Any) -> None:
        raise AssertionError("the database is not asked")

    monkeypatch.setattr(ApiToken.objects, "select_related", asked)
    assert await refusal(TokenGate(), "Bearer parlance_0_0") == (401, "invalid_api_key")


def test_everything_for_programs_is_guarded() -> None:
    door = TokenGate()
    assert door.guards(b"/v1/audio/transcriptions")
    assert door.guards(b"/v1/whatever/comes")
    assert not door.guards(b"/login/")
    assert not door.guards(b"/m/v1/")
