"""Sound is refused before the broker or its disk is full: held against the real broker and a real, small disk."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import redis.asyncio

from meetings.broker import audio_capacity
from meetings.broker.audio_capacity import AudioCapacity


@pytest.fixture(autouse=True)
def _always_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio_capacity, "CAPACITY_TTL_S", -1.0)


@pytest.fixture
def unbounded(broker_sync: redis.Redis) -> Iterator[None]:
    """The broker without a `maxmemory`."""
    before = broker_sync.config_get("maxmemory")["maxmemory"]
    broker_sync.config_set("maxmemory", 0)
    yield
    broker_sync.config_set("maxmemory", before)


@pytest.fixture
def bounded(unbounded: None, broker_sync: redis.Redis) -> int:
    """The broker with a `maxmemory` of 4 MB more than it has."""
    most = int(broker_sync.info("memory")["used_memory"]) + (4 << 20)
    broker_sync.config_set("maxmemory", most)
    return most


async def test_a_broker_near_its_bound_takes_no_more_sound_and_works_on(
    broker: redis.asyncio.Redis, bounded: int
) -> None:
    asked = AudioCapacity(broker, None)
    number = 0
    while await asked.is_left():
        await broker.set(f"filler:{number}", bytes(100_000))
        number += 1
    assert number > 0
    used = (await broker.info("memory"))["used_memory"]
    assert bounded * audio_capacity.MEMORY_SHARE <= used < bounded, "leases and hosts still find room"
    await broker.execute_command("FLUSHALL", "SYNC")  # without it the memory is freed some time later
    assert await asked.is_left()


async def test_a_broker_without_a_bound_gets_one(
    broker: redis.asyncio.Redis, unbounded: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = AudioCapacity(broker, None)
    assert await asked.is_left()
    monkeypatch.setattr(audio_capacity, "MAX_MEMORY", 1)
    assert not await asked.is_left()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if mount.returncode:
        pytest.skip("mounting a small file system needs root")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


async def test_a_disk_that_is_nearly_full_takes_no_more_sound(broker: redis.asyncio.Redis, small_disk: Path) -> None:
    asked = AudioCapacity(broker, small_disk)
    assert await asked.is_left()
    filler = small_disk / "filler"
    filler.write_bytes(bytes(20_200_000))
    assert not await asked.is_left()
    filler.unlink()
    assert await asked.is_left()


async def test_a_folder_that_is_not_there_yet_is_no_full_disk(broker: redis.asyncio.Redis, tmp_path: Path) -> None:
    assert await AudioCapacity(broker, tmp_path / "broker").is_left()


async def test_an_answer_holds_for_a_while(broker: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten frames a second of each host must not ask ten times."""
    monkeypatch.setattr(audio_capacity, "CAPACITY_TTL_S", 3600.0)
    asked = AudioCapacity(broker, None)
    assert await asked.is_left()
    monkeypatch.setattr(audio_capacity, "MEMORY_SHARE", 0.0)
    monkeypatch.setattr(audio_capacity, "MAX_MEMORY", 0)
    assert await asked.is_left()
