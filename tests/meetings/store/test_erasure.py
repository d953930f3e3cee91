"""Traces of what was deleted that cannot be erased at once, in a real broker and a real database."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
import redis
from django.db import connection

from meetings.store import erasure

pytestmark = pytest.mark.django_db(transaction=True)


def until(condition: Callable[[], bool]) -> None:
    """For the broker, which rewrites its file in a process of its own and tells nobody."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def rewrites(broker: redis.Redis) -> int:
    """How many came to their end, well or not."""
    until(lambda: not broker.info("persistence")["aof_rewrite_in_progress"])
    return int(broker.info("persistence")["aof_rewrites"])


def test_one_rewrite_for_all_that_was_deleted_before_it(broker_sync: redis.Redis) -> None:
    before = rewrites(broker_sync)
    assert erasure.erase()
    assert rewrites(broker_sync) == before + 1
    for _ in range(3):
        erasure.go_on()
    assert rewrites(broker_sync) == before + 1
    assert broker_sync.get(erasure.BROKER) == b"1"


def test_a_rewrite_that_fails_is_begun_again_and_then_waits(
    broker_sync: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rewrites(broker_sync)
    erasure.erase()
    assert rewrites(broker_sync) == before + 1
    reports = told_to_have_failed(broker_sync, monkeypatch)
    erasure.go_on()
    assert rewrites(broker_sync) == before + 2
    erasure.go_on()
    assert rewrites(broker_sync) == before + 2, "not without a pause"
    broker_sync.delete(erasure.PAUSED_BROKER)
    erasure.go_on()
    assert rewrites(broker_sync) == before + 3
    reports.clear()
    erasure.go_on()
    assert broker_sync.get(erasure.BROKER) == broker_sync.get(erasure.WANTED) == b"1"


def told_to_have_failed(broker: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A broker whose rewrites fail, as far as its report says, while the list is not empty."""
    status, info = ["err"], redis.Redis.info

    def report(client: redis.Redis, section: str) -> dict[str, object]:
        found = dict(info(client, section))
        return {**found, "aof_last_bgrewrite_status": status[0]} if status and section == "persistence" else found

    monkeypatch.setattr(redis.Redis, "info", report)
    return status


def test_a_rewrite_that_ended_with_the_broker_is_begun_again(broker_sync: redis.Redis) -> None:
    """A restarted broker says that its last rewrite went well, for it has had none."""
    erasure.erase()
    before = rewrites(broker_sync)
    broker_sync.hset(erasure.BEGUN, "run", "another run of it")
    erasure.go_on()
    assert rewrites(broker_sync) == before + 1
    erasure.go_on()
    assert broker_sync.get(erasure.BROKER) == b"1"


def test_a_broker_that_does_not_allow_it_is_asked_once(
    broker_sync: redis.Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []

    def refuse(client: redis.Redis) -> None:
        asked.append("rewrite")
        raise redis.exceptions.NoPermissionError("NOPERM this user has no permissions to run this command")

    monkeypatch.setattr(redis.Redis, "bgrewriteaof", refuse)
    erasure.erase()
    erasure.go_on()
    assert asked == ["rewrite"]
    assert len([record for record in caplog.records if "traces_left" in str(record.msg)]) == 1


def test_a_broker_without_a_file_has_nothing_to_rewrite(
    broker_sync: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, info = rewrites(broker_sync), redis.Redis.info
    with monkeypatch.context() as without:
        without.setattr(redis.Redis, "info", lambda client, section: {**info(client, section), "aof_enabled": 0})
        erasure.erase()
    assert rewrites(broker_sync) == before
    assert broker_sync.get(erasure.BROKER) == b"1"


def test_without_a_broker_it_is_said_that_nobody_will_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meetings.broker.client.broker_url", lambda: "unix:///nowhere/valkey.sock")
    assert not erasure.erase()
    with pytest.raises(redis.ConnectionError):
        erasure.go_on()


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL's own vacuum does it")
def test_a_reader_of_the_database_is_waited_for(broker_sync: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "CHECKPOINT_WAIT_MS", 50)
    reading, may_end = threading.Event(), threading.Event()

    def read() -> None:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN DEFERRED")
            cursor.execute("SELECT COUNT(*) FROM meetings_meeting").fetchone()
            reading.set()
            may_end.wait(20)
            cursor.execute("COMMIT")
        connection.close()

    reader = threading.Thread(target=read)
    reader.start()
    assert reading.wait(20)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE written_meanwhile (x)")
        cursor.execute("DROP TABLE written_meanwhile")
    erasure.erase()
    assert broker_sync.get(erasure.DATABASE) is None, "something is left"
    may_end.set()
    reader.join()
    erasure.go_on()
    assert broker_sync.get(erasure.DATABASE) == b"1"
