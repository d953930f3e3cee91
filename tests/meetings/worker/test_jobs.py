"""Each chore has a loop of its own, as the worker runs them."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
import redis.asyncio
from django.contrib.auth.models import User

from meetings import supervise
from meetings.models import Delivery, Meeting, Webhook
from meetings.store import webhooks
from meetings.worker import results, retention, webhook_client
from meetings.worker import webhooks as worker_webhooks
from meetings.worker.jobs import Jobs

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_chore_that_hangs_and_one_that_fails_stop_no_other(
    broker: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The storage hangs, the deletion fails: webhooks go out. The fault was that one `gather` awaited all three."""
    let_go, asked, failures = threading.Event(), threading.Event(), []

    def hang(**_: Any) -> list[str]:
        asked.set()
        let_go.wait(60)
        return []

    def fail(**_: Any) -> None:
        failures.append("purge")
        raise ZeroDivisionError

    async def take(*_: Any, **__: Any) -> int:
        return 204

    monkeypatch.setattr(results.results, "due", hang)
    monkeypatch.setattr(retention.retention, "purge", fail)
    monkeypatch.setattr(webhook_client, "post", take)
    monkeypatch.setattr(worker_webhooks, "DELIVERY_POLL_S", 0.02)
    loops = [supervise.start(name, step, pause_s=pause_s) for name, step, pause_s in Jobs("worker", broker).loops()]
    assert await asyncio.to_thread(asked.wait, 20)
    meeting = await Meeting.objects.acreate(title="Plan", owner=await User.objects.acreate(username="ana"))
    await Webhook.objects.acreate(user=meeting.owner, url="https://quick.example/")
    await asyncio.to_thread(webhooks.announce, meeting, "meeting.ready")
    async with asyncio.timeout(20):
        while not (failures and await Delivery.objects.exclude(delivered_at=None).aexists()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert [loop.done() for loop in loops] == [False] * 4
    for loop in loops:
        loop.cancel()
    await asyncio.wait(loops, timeout=20)
    assert all(loop.done() for loop in loops), "nobody waits for the storage"
    let_go.set()
