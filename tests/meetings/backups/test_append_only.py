"""Of a real broker that is written to and rewrites its file meanwhile."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from meetings.backups.append_only import AOF_MANIFEST, HOLD_ATTEMPTS, Unsteady, hold
from meetings.broker.embedded import EmbeddedBroker


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    server = EmbeddedBroker(tmp_path / "broker", tmp_path / "valkey.sock")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def staging(tmp_path: Path) -> Path:
    (tmp_path / "staging").mkdir()
    return tmp_path / "staging"


def client(folder: Path) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(folder / "valkey.sock"))


def brought_back(held_files: list[tuple[Path, int]], folder: Path) -> dict[bytes, bytes]:
    """What a broker makes of the files, each cut at its size."""
    logs = folder / "broker" / "appendonlydir"
    logs.mkdir(parents=True)
    for path, size in held_files:
        (logs / path.name).write_bytes(path.read_bytes()[:size])
    server = EmbeddedBroker(folder / "broker", folder / "valkey.sock")
    server.start()
    try:
        found = client(folder)
        return {key: value for key in found.keys("*") if (value := found.get(key)) is not None}
    finally:
        server.stop()


@pytest.mark.parametrize("rewrites", [False, True])
def test_what_was_acknowledged_before_is_in_it(
    server: EmbeddedBroker, tmp_path: Path, staging: Path, rewrites: bool
) -> None:
    """A writer goes on all the while; with `rewrites`, the files are replaced again and again as well."""
    acknowledged, is_over, broker = [0], threading.Event(), client(tmp_path)

    def write() -> None:
        own = client(tmp_path)
        while not is_over.is_set():
            number = acknowledged[0] + 1
            own.set(f"key-{number}", "x" * 10_000)
            acknowledged[0] = number
            if rewrites and number % 20 == 0:
                try_to_rewrite(own)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while acknowledged[0] < 100:
            assert writer.is_alive()
        before = acknowledged[0]
        files = [(one.path, one.size) for one in hold(tmp_path / "broker" / "appendonlydir", staging)]
        following = acknowledged[0]
        while acknowledged[0] < following + 50:
            assert writer.is_alive()
    finally:
        is_over.set()
        writer.join()
    broker.close()
    found = brought_back(files, tmp_path / "again")
    numbers = {int(key.removeprefix(b"key-")) for key in found}
    assert numbers >= set(range(1, before + 1))
    assert numbers == set(range(1, max(numbers) + 1)), "a beginning of what was written, without holes"
    assert max(numbers) <= following + 1, "nothing of later"


def try_to_rewrite(broker: redis.Redis) -> None:
    with contextlib.suppress(redis.ResponseError):  # one is in progress
        broker.bgrewriteaof()


def test_a_broker_that_never_ran_has_nothing(tmp_path: Path, staging: Path) -> None:
    assert hold(tmp_path / "nowhere", staging) == []


def test_files_that_never_hold_still_are_said(tmp_path: Path, staging: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / AOF_MANIFEST).write_text("file appendonly.aof.1.incr.aof seq 1 type i\n")
    with pytest.raises(Unsteady, match="at each of 20 tries"):
        hold(logs, staging)
    assert len(list(staging.iterdir())) == HOLD_ATTEMPTS
    shutil.rmtree(staging)
