"""The worker's part in webhooks: what one address does to the others, and to the chores beside it."""

from __future__ import annotations

import asyncio
import binascii
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from django.conf import settings
from django.contrib.auth.models import User

from meetings import supervise
from meetings.models import Delivery, Webhook
from meetings.worker import webhook_client
from meetings.worker import webhooks as worker_webhooks
from meetings.worker.webhooks import PER_USER, WebhookJob

pytestmark = pytest.mark.django_db(transaction=True)

SLOW = "slow"


class Internet:
    """A double of `public_addresses.post`: addresses with `slow` in them answer when they are let."""

    def __init__(self) -> None:
        self.called: list[str] = []
        self.at_once = 0
        self.most_at_once = 0
        self.answer = asyncio.Event()

    async def post(self, url: str, body: bytes, headers: dict[str, str], *, is_private_allowed: bool) -> int:
        self.called.append(url)
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            if SLOW in url:
                await self.answer.wait()
            return 204
        finally:
            self.at_once -= 1


@pytest.fixture
def internet(monkeypatch: pytest.MonkeyPatch) -> Internet:
    made = Internet()
    monkeypatch.setattr(webhook_client, "post", made.post)
    monkeypatch.setattr(worker_webhooks, "DELIVERY_POLL_S", 0.02)
    return made


def deliveries(name: str, url: str, count: int = 1) -> None:
    user, _ = User.objects.get_or_create(username=name)
    hook = Webhook.objects.create(user=user, url=url)
    Delivery.objects.bulk_create(Delivery(webhook=hook, event="meeting.ready", body="{}") for _ in range(count))


def taken(name: str) -> int:
    return Delivery.objects.filter(webhook__user__username=name, delivered_at__isnull=False).count()


async def until(look: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await look():  # noqa: ASYNC110  (the condition is a row)
            await asyncio.sleep(0.01)


async def until_taken(name: str, count: int) -> None:
    async def look() -> bool:
        return await asyncio.to_thread(taken, name) == count

    await until(look)


@asynccontextmanager
async def running() -> AsyncIterator[None]:
    """The loop as a worker runs it."""
    loop = supervise.start("delivering", WebhookJob().turn)
    yield
    loop.cancel()
    await asyncio.wait([loop])


async def test_an_address_that_answers_slowly_holds_up_its_own_user_alone(internet: Internet) -> None:
    await asyncio.to_thread(deliveries, "ana", f"https://{SLOW}.example/", 40)
    await asyncio.to_thread(deliveries, "bea", "https://quick.example/", 5)
    async with running():
        await until_taken("bea", 5)
        assert internet.called.count(f"https://{SLOW}.example/") == PER_USER
        internet.answer.set()
        await until_taken("ana", 40)
    assert internet.most_at_once <= 2 * PER_USER


async def test_so_many_are_sent_at_once(internet: Internet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_webhooks, "SLOTS", 3)
    for name in ("ana", "bea", "eva", "zoe"):
        await asyncio.to_thread(deliveries, name, f"https://{SLOW}.example/{name}", 2)
    async with running():

        async def is_full() -> bool:
            return internet.at_once == 3

        await until(is_full)
        internet.answer.set()
        for name in ("ana", "bea", "eva", "zoe"):
            await until_taken(name, 2)
    assert internet.most_at_once == 3


async def test_an_error_of_our_own_is_one_deliverys(
    internet: Internet, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever it is: here a secret that somebody changed in the database."""
    await asyncio.to_thread(deliveries, "ana", "https://odd.example/")
    await Webhook.objects.aupdate(secret="whsec_x")
    with pytest.raises(binascii.Error):
        webhook_client.signature("whsec_x", "", 0, "")
    await asyncio.to_thread(deliveries, "bea", "https://quick.example/", 3)
    async with running():
        await until_taken("bea", 3)

        async def is_counted() -> bool:
            return await Delivery.objects.filter(webhook__user__username="ana", failure__gt="").aexists()

        await until(is_counted)
    failed = await Delivery.objects.aget(webhook__user__username="ana")
    assert (failed.attempts, failed.failure) == (1, "It could not be sent: Error.")
    assert failed.next_at is not None
    [told] = [record.msg for record in caplog.records if "webhook_failed" in str(record.msg)]
    assert "signature" in str(told), "the log says where"


async def test_a_port_that_there_is_not_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was accepted before, and its row is still there; the real `post` is asked."""
    monkeypatch.setattr(worker_webhooks, "DELIVERY_POLL_S", 0.02)
    monkeypatch.setattr(settings, "ENVIRONMENT", replace(settings.ENVIRONMENT, private_webhooks=False))
    for url in ("https://example.com:99999/", f"https://{61 * 'ü'}.com/", "https://127.0.0.1/"):
        await asyncio.to_thread(deliveries, "ana", url)

    async def are_counted() -> bool:
        return await Delivery.objects.filter(attempts=1, failure__gt="").acount() == 3

    async with running():
        await until(are_counted)


async def test_a_worker_that_stops_leaves_what_it_was_sending_due(internet: Internet) -> None:
    await asyncio.to_thread(deliveries, "ana", f"https://{SLOW}.example/")
    async with running():

        async def is_sending() -> bool:
            return internet.at_once == 1

        await until(is_sending)
    left = await Delivery.objects.aget()
    assert (left.attempts, left.delivered_at) == (1, None)
    assert left.next_at is not None
