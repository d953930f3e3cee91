"""Connections to the database, counted by a real PostgreSQL while real pages and calls use them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg
import pytest
from channels.testing import WebsocketCommunicator

from tests.answering import wait_for_answer
from tests.conftest import REPOSITORY
from tests.live import free_port
from tests.postgres import Cluster, running_cluster

REQUESTS = 100
"""More than the server's `max_connections`."""

ENDED_WITHIN_S = 20.0

CALLS = """
import asyncio, django
django.setup()
from channels.db import database_sync_to_async
from meetings.store.transcript import last_seq

async def call():
    for thread_sensitive in (True, False):
        ask = database_sync_to_async(last_seq, thread_sensitive=thread_sensitive)
        for _ in range(100):
            await ask("nobody")

asyncio.run(call())
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def environment(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    environment = {
        **os.environ,
        "PARLANCE_DATA": str(tmp_path_factory.mktemp("data")),
        "DATABASE_URL": cluster.url,
        "REDIS_URL": f"redis://127.0.0.1:{free_port()}",
        "DJANGO_SETTINGS_MODULE": "meetings.settings",
    }
    manage(environment, "migrate", "--verbosity", "0")
    return environment


def manage(environment: dict[str, str], *arguments: str) -> None:
    subprocess.run([sys.executable, "manage.py", *arguments], cwd=REPOSITORY, env=environment, check=True, timeout=120)


@contextmanager
def web(environment: dict[str, str]) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "manage.py", "web", "--port", str(port)]
    process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_for_answer(f"http://127.0.0.1:{port}/healthz", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def test_pages_leave_no_connection_behind(cluster: Cluster, environment: dict[str, str]) -> None:
    """A request's thread ends with it. Were its connection not ended with it, these would fill the server."""
    with (
        web(environment) as address,
        httpx.Client() as client,
        ThreadPoolExecutor(8) as many,
        psycopg.connect(cluster.url) as observer,
    ):
        answers = list(many.map(lambda _: client.get(f"{address}/m/nobody/").status_code, range(REQUESTS)))
        assert answers == [404] * REQUESTS
        observer.autocommit = True
        deadline = time.monotonic() + ENDED_WITHIN_S
        while (left := connections_of_pages(observer)) and time.monotonic() < deadline:
            time.sleep(0.05)  # the threads end a moment after the answers
        assert left == 0


def connections_of_pages(observer: psycopg.Connection[Any]) -> int:
    row = observer.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'parlance'").fetchone()
    assert row is not None
    return int(row[0])


def test_calls_of_sockets_and_workers_share_connections(cluster: Cluster, environment: dict[str, str]) -> None:
    with psycopg.connect(cluster.url, autocommit=True) as observer:
        observer.execute("SELECT pg_stat_reset()")
        subprocess.run([sys.executable, "-c", CALLS], cwd=REPOSITORY, env=environment, check=True, timeout=120)
        opened = observer.execute("SELECT sessions FROM pg_stat_database WHERE datname = 'postgres'").fetchone()
    assert opened is not None
    threads = min(32, (os.cpu_count() or 1) + 4)
    assert 2 <= opened[0] <= threads + 1


def test_the_bounds_on_waits_reach_the_server(environment: dict[str, str]) -> None:
    asked = """
import json, django
django.setup()
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SELECT name, setting FROM pg_settings WHERE name LIKE '%timeout' AND source = 'client'")
    print(json.dumps(dict(cursor.fetchall())))
"""
    said = subprocess.run(
        [sys.executable, "-c", asked], cwd=REPOSITORY, env=environment, check=True, timeout=60, capture_output=True
    )
    assert json.loads(said.stdout) == {"statement_timeout": "60000", "idle_in_transaction_session_timeout": "60000"}


@pytest.mark.parametrize("path", ["", "/", "/ws/nothing/"])
async def test_sockets_that_there_are_not_are_refused_without_an_error(path: str) -> None:
    from meetings.asgi import application

    communicator = WebsocketCommunicator(
        application, path, headers=[(b"origin", b"http://testserver"), (b"host", b"testserver")]
    )
    assert await communicator.connect() == (False, None) or not (await communicator.connect())[0]
