"""Erasure of deleted data from the files of database, index and broker, retried until it succeeds.

The broker holds the number of deletions, and up to which of them its own file and the database's are clean. A rewrite
that was running during a deletion may contain the data, so another one follows. docs/deletion.md lists what cannot be
guaranteed.
"""

from __future__ import annotations

import redis
import structlog
from django.db import OperationalError, connection
from redis.exceptions import RedisError, ResponseError

from meetings.broker.client import connect_sync
from meetings.search.finding import index

log = structlog.get_logger(__name__)

WANTED = "parlance:erasure:wanted"
DATABASE = "parlance:erasure:database"
BEGUN = "parlance:erasure:begun"
"""The deletion count and the broker's run id at the start of its newest file rewrite, running or not."""

BROKER = "parlance:erasure:broker"
PAUSED_DATABASE = "parlance:erasure:paused:database"
PAUSED_BROKER = "parlance:erasure:paused:broker"
PAUSE_S = 60
"""After a failure."""

RUNNING = "in progress"
"""Part of the broker's error when a rewrite is requested while one is running."""

CHECKPOINT_WAIT_MS = 2_000
"""How long the database waits for readers; the next attempt follows after PAUSE_S."""


def erase() -> bool:
    """Start the erasure after a deletion; `go_on` retries what fails.

    Returns False if the broker was unreachable, in which case no retry is recorded.
    """
    broker = connect_sync()
    wanted = _count(broker)
    is_clean = _erase_database()
    if wanted is None:
        return False
    try:
        if is_clean:
            broker.set(DATABASE, wanted)
        _rewrite(broker, wanted)
    except (RedisError, OSError) as error:
        log.warning("traces_left", place="broker", error=type(error).__name__)
    return True


def go_on() -> None:
    """Retry what earlier deletions could not erase; a worker calls this periodically.

    Raises the errors of an unreachable broker.
    """
    broker = connect_sync()
    wanted = _number(broker.get(WANTED))
    is_due = _number(broker.get(DATABASE)) < wanted and broker.set(PAUSED_DATABASE, 1, ex=PAUSE_S, nx=True)
    if is_due and _erase_database():
        broker.set(DATABASE, wanted)
        broker.delete(PAUSED_DATABASE)
    _rewrite(broker, wanted)


def _count(broker: redis.Redis) -> int | None:
    """Count one more deletion; None: the broker could not count it."""
    try:
        return int(broker.incr(WANTED))
    except (RedisError, OSError) as error:
        log.warning("traces_left", place="broker", error=type(error).__name__)
        return None


def _erase_database() -> bool:
    """Return whether index and write-ahead log of the database are free of deleted rows."""
    try:
        index().erase()
        is_clean = connection.vendor != "sqlite" or _empty_log_of_writes()
    except OperationalError as error:
        is_clean = False
        log.warning("traces_left", place="database", error=type(error).__name__)
    return is_clean


def _empty_log_of_writes() -> bool:
    """Checkpoint SQLite's write-ahead log; freed pages are overwritten (`secure_delete` in the settings).

    Returns False if a reader blocked it.
    """
    with connection.cursor() as cursor:
        [before] = cursor.execute("PRAGMA busy_timeout").fetchone()
        cursor.execute(f"PRAGMA busy_timeout = {CHECKPOINT_WAIT_MS}")
        [(is_busy, *_)] = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        cursor.execute(f"PRAGMA busy_timeout = {int(before)}")
    return not is_busy


def _rewrite(broker: redis.Redis, wanted: int) -> None:
    """Make the broker rewrite its file, unless the newest rewrite started after the last deletion."""
    done = _number(broker.get(BROKER))
    if done >= wanted:
        return
    try:
        run, persistence = str(broker.info("server")["run_id"]), broker.info("persistence")
        if not persistence.get("aof_enabled"):
            broker.set(BROKER, wanted)
        elif not (persistence["aof_rewrite_in_progress"] or persistence.get("aof_rewrite_scheduled")):
            _begin_rewrite(broker, wanted, done, run, is_well=persistence["aof_last_bgrewrite_status"] == "ok")
    except ResponseError as error:
        if RUNNING not in str(error):  # rewrites are not allowed here, now or later
            log.warning("traces_left", place="broker", error=type(error).__name__)
            broker.set(BROKER, wanted)


def _begin_rewrite(broker: redis.Redis, wanted: int, done: int, run: str, *, is_well: bool) -> None:
    """Start a rewrite; none is running. `is_well`: the last one of this broker run succeeded."""
    begun, of_run = broker.hmget(BEGUN, "count", "run")
    if of_run == run.encode() and _number(begun) > done:
        if is_well:
            broker.set(BROKER, _number(begun))
        elif not broker.set(PAUSED_BROKER, 1, ex=PAUSE_S, nx=True):
            return
    if _number(broker.get(BROKER)) < wanted:
        broker.bgrewriteaof()
        broker.hset(BEGUN, mapping={"count": wanted, "run": run})


def _number(stored: bytes | str | None) -> int:
    return int(stored or 0)
