"""Bytes of what was deleted leave the files of database, index and broker, however often it takes.

How many deletions there were is counted in the broker, and up to which of them its file and the database's are clean.
A rewrite that runs while something is deleted began before, so that another one follows. What cannot be promised is in
docs/deletion.md.
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
"""Up to which deletion, and by which run of the broker, its file is being rewritten or was last."""

BROKER = "parlance:erasure:broker"
PAUSED_DATABASE = "parlance:erasure:paused:database"
PAUSED_BROKER = "parlance:erasure:paused:broker"
PAUSE_S = 60
"""After a failure."""

RUNNING = "in progress"
"""In the broker's answer to who asks for a rewrite while one runs."""

CHECKPOINT_WAIT_MS = 2_000
"""How long the database waits for its readers; it is tried again after PAUSE_S."""


def erase() -> bool:
    """Begin, after something was deleted. What is in the way now is left to `go_on`.

    Returns False when the broker was away, so that nobody will know that something is left.
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
    """Do what earlier deletions could not; a worker calls it again and again.

    Raises what a broker raises that is away.
    """
    broker = connect_sync()
    wanted = _number(broker.get(WANTED))
    is_due = _number(broker.get(DATABASE)) < wanted and broker.set(PAUSED_DATABASE, 1, ex=PAUSE_S, nx=True)
    if is_due and _erase_database():
        broker.set(DATABASE, wanted)
        broker.delete(PAUSED_DATABASE)
    _rewrite(broker, wanted)


def _count(broker: redis.Redis) -> int | None:
    """One deletion more; None when the broker cannot count it."""
    try:
        return int(broker.incr(WANTED))
    except (RedisError, OSError) as error:
        log.warning("traces_left", place="broker", error=type(error).__name__)
        return None


def _erase_database() -> bool:
    """Whether neither the index nor the database's log of writes keeps anything of rows that are deleted."""
    try:
        index().erase()
        is_clean = connection.vendor != "sqlite" or _empty_log_of_writes()
    except OperationalError as error:
        is_clean = False
        log.warning("traces_left", place="database", error=type(error).__name__)
    return is_clean


def _empty_log_of_writes() -> bool:
    """Bring freed pages from SQLite's log to its file; they are overwritten (`secure_delete` in the settings).

    Returns False where a reader stood in the way.
    """
    with connection.cursor() as cursor:
        [before] = cursor.execute("PRAGMA busy_timeout").fetchone()
        cursor.execute(f"PRAGMA busy_timeout = {CHECKPOINT_WAIT_MS}")
        [(is_busy, *_)] = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        cursor.execute(f"PRAGMA busy_timeout = {int(before)}")
    return not is_busy


def _rewrite(broker: redis.Redis, wanted: int) -> None:
    """Have the broker write its file anew, unless the one that is there was begun after the last deletion."""
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
        if RUNNING not in str(error):  # it is not allowed here, and will not be the next time
            log.warning("traces_left", place="broker", error=type(error).__name__)
            broker.set(BROKER, wanted)


def _begin_rewrite(broker: redis.Redis, wanted: int, done: int, run: str, *, is_well: bool) -> None:
    """No rewrite runs. `is_well`: the last one of this run of the broker came to its end."""
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
