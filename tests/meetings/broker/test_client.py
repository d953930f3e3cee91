from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import redis
import redis.asyncio
from django.conf import settings

from meetings.broker import client as broker_client
from meetings.broker.client import BrokerUnreachable, check_broker, connect, connect_blocking, connect_sync
from meetings.broker.embedded import EmbeddedBroker, Health
from tests.meetings.brokers import SlowlyLoading, stopped, write_log

QUICKLY_S = 0.3
"""The bound on commands, so that no test waits for the real one."""


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ("redis://valkey:6379/0", "redis://valkey:6379/0"),
        ("valkey://valkey:6379/0", "redis://valkey:6379/0"),
        ("valkeys://:valkey@valkey.example/1", "rediss://:valkey@valkey.example/1"),
        ("rediss://u:redis@redis:6380", "rediss://u:redis@redis:6380"),
        ("unix:///run/valkey/valkey.sock", "unix:///run/valkey/valkey.sock"),
    ],
)
def test_only_the_scheme_of_an_address_is_translated(told: str, read: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "ENVIRONMENT", replace(settings.ENVIRONMENT, broker_url=told))
    assert broker_client.broker_url() == read


def test_a_folder_of_any_name_holds_the_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "50% of #1, why?"
    monkeypatch.setattr(settings, "ENVIRONMENT", replace(settings.ENVIRONMENT, data=data, broker_url=""))
    server = EmbeddedBroker(data / "broker", settings.ENVIRONMENT.broker_socket)
    server.start()
    try:
        assert connect_sync().ping()
    finally:
        server.stop()


def test_a_password_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told = "redis://:s@crt@127.0.0.1:1/0"
    monkeypatch.setattr(settings, "ENVIRONMENT", replace(settings.ENVIRONMENT, broker_url=told))
    with pytest.raises(BrokerUnreachable, match=r"^The broker at redis://127\.0\.0\.1:1/0 does not answer") as raised:
        check_broker()
    assert "s@crt" not in str(raised.value)


def test_a_broker_that_loads_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "ENVIRONMENT", replace(settings.ENVIRONMENT, data=tmp_path))
    write_log(tmp_path / "broker", keys=10_000)
    server = SlowlyLoading(tmp_path / "broker", settings.ENVIRONMENT.broker_socket, delay_us=100)
    server.launch()
    try:
        while server.health() is not Health.LOADING:
            assert server.is_running()
        check_broker()
        assert connect_sync().dbsize() == 10_000
    finally:
        server.stop()


async def test_a_broker_that_hangs_is_an_error_within_the_bound(
    valkey: EmbeddedBroker, broker_sync: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_client, "COMMAND_S", QUICKLY_S)
    client = connect()
    await client.set("a", 1)
    with stopped(valkey.pid):
        asked_at = time.monotonic()
        with pytest.raises(redis.TimeoutError):
            await client.set("a", 2)
        with pytest.raises(redis.TimeoutError):
            connect_sync().get("a")
        assert time.monotonic() - asked_at < QUICKLY_S + 2 * 5
    assert await client.ping()
    assert connect_sync().ping()
    await client.aclose()


async def test_waiting_readings_outlast_the_bound_on_commands(
    broker_sync: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`XREAD`, `BLPOP` and subscriptions are silent for longer than a command may be."""
    monkeypatch.setattr(broker_client, "COMMAND_S", QUICKLY_S)
    blocking = connect_blocking()
    assert not await blocking.xread({"nothing": "0-0"}, block=int(3_000 * QUICKLY_S))
    assert await blocking.blpop(["nothing"], timeout=3 * QUICKLY_S) is None
    client = connect()
    async with client.pubsub(ignore_subscribe_messages=True) as subscription:
        await subscription.subscribe("bells")
        assert await subscription.get_message(timeout=0.01) is None
        assert await subscription.get_message(timeout=3 * QUICKLY_S) is None
        broker_sync.publish("bells", "rung")
        rung = await subscription.get_message(timeout=5)
        assert rung is not None
        assert rung["data"] == b"rung"
    await client.aclose()
    await blocking.aclose()


async def test_one_process_follows_hundreds_of_meetings(broker: redis.asyncio.Redis) -> None:
    subscriptions = [broker.pubsub() for _ in range(150)]
    for number, subscription in enumerate(subscriptions):
        await subscription.subscribe(f"bells-{number}")
    assert len(await broker.pubsub_channels("bells-*")) == 150
    for subscription in subscriptions:
        await subscription.aclose()


def test_plain_threads_share_a_client_that_outlives_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "ENVIRONMENT", replace(settings.ENVIRONMENT, data=tmp_path))
    server = EmbeddedBroker(tmp_path / "broker", settings.ENVIRONMENT.broker_socket)
    server.start()
    try:
        client = connect_sync()
        client.set("kept", 1)
        assert server.pid is not None
        psutil.Process(server.pid).kill()
        server.restart()
        assert connect_sync() is client
        assert client.get("kept") == b"1"
        assert client.info("clients")["connected_clients"] == 1
    finally:
        server.stop()
