"""Rate limits, counted in the broker and therefore across all web processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redis.client import Pipeline
from redis.exceptions import RedisError

from meetings.broker.client import connect_sync


class RateLimited(Exception):
    """The limit was reached; `seconds` says when to try again."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Try again in {seconds} s.")
        self.seconds = seconds


def count_attempt(name: str, *, limit: int, within_s: int) -> None:
    """Count an attempt under `name`. The count restarts `within_s` seconds after its first attempt.

    Raises:
        RateLimited: `limit` was reached, or the broker is away: what cannot be counted is not allowed.
    """
    count, left_s = record_attempt(name, within_s=within_s)
    if count > limit:
        raise RateLimited(max(1, left_s))


def record_attempt(name: str, *, within_s: int) -> tuple[int, int]:
    """Count an attempt under `name` without a limit; return the count, and the seconds until it restarts.

    Raises:
        RateLimited: the broker is away.
    """
    with _counting(within_s) as pipeline:
        pipeline.set(_key(name), 0, ex=within_s, nx=True)
        pipeline.incr(_key(name))
        pipeline.ttl(_key(name))
        _, count, left_s = pipeline.execute()
    return int(count), int(left_s)


def take_back(name: str, *, within_s: int) -> None:
    """Uncount an attempt that `record_attempt` counted. Raises RateLimited like it."""
    with _counting(within_s) as pipeline:
        pipeline.set(_key(name), 0, ex=within_s, nx=True)
        pipeline.decr(_key(name))
        pipeline.execute()


def attempts(name: str, *, within_s: int) -> tuple[int, int]:
    """Return the count under `name`, and the seconds until it restarts. Raises RateLimited like `record_attempt`."""
    with _counting(within_s) as pipeline:
        pipeline.get(_key(name))
        pipeline.ttl(_key(name))
        count, left_s = pipeline.execute()
    return int(count or 0), int(left_s)


def _key(name: str) -> str:
    return f"parlance:tries:{name}"


@contextmanager
def _counting(within_s: int) -> Iterator[Pipeline]:
    try:
        with connect_sync().pipeline() as pipeline:
            yield pipeline
    except (RedisError, OSError) as error:
        raise RateLimited(within_s) from error
