"""A real broker for tests of this package, empty before each test; the interface in English."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis
import redis.asyncio
from django.conf import settings
from django.test import Client
from django.utils import translation

from meetings.broker.client import connect, connect_sync
from meetings.broker.embedded import EmbeddedBroker
from tests.live import RunningParlance


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
def captioning_product(whisper_alone: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningParlance]:
    """In a folder and with a umask that most machines have: everybody may look."""
    data = tmp_path_factory.mktemp("data")
    data.chmod(0o755)
    running = RunningParlance(data, environment={"PARLANCE_MODELS_DIR": str(whisper_alone)})
    before = os.umask(0o022)
    try:
        running.start()
    finally:
        os.umask(before)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def parlance(captioning_product: RunningParlance) -> RunningParlance:
    """One product for all modules of the group `processes` that only need captions: each start takes ten seconds of
    processor. Whatever the module before has done to it, it is ready."""
    if not captioning_product.is_running:
        captioning_product.start()
    captioning_product.wait_until_ready()
    return captioning_product


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
