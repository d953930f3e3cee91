"""A real broker for tests of this package, empty before each test; the interface in English."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import redis
import redis.asyncio
from django.conf import settings
from django.test import Client
from django.utils import translation

from meetings.broker.client import connect, connect_sync
from meetings.broker.embedded import EmbeddedBroker


@pytest.fixture(autouse=True)
def interface() -> Iterator[None]:
    """English, whatever language the test before had asked a page for: Django keeps it in the thread."""
    with translation.override("en"):
        yield


@pytest.fixture
def stranger() -> Client:
    """Signed in, and nobody's host."""
    from django.contrib.auth.models import User  # needs settings, which are not there when pytest reads this file

    client = Client()
    client.force_login(User.objects.create_user("eve"))
    return client


@pytest.fixture(scope="session")
def valkey() -> Iterator[EmbeddedBroker]:
    environment = settings.ENVIRONMENT
    server = EmbeddedBroker(environment.data / "broker", environment.broker_socket)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def broker_sync(valkey: EmbeddedBroker) -> redis.Redis:
    client = connect_sync()
    client.flushall()
    return client


@pytest.fixture
async def broker(broker_sync: redis.Redis) -> AsyncIterator[redis.asyncio.Redis]:
    client = connect()
    yield client
    await client.aclose()
