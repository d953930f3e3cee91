"""How often something may be tried: counted in the broker, so for all web processes together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redis.client import Pipeline
from redis.exceptions import RedisError

from meetings.broker.client import connect_sync


class RateLimited(Exception):
    """Not now; `seconds` says when again."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Try again in {seconds} s.")
        self.seconds = seconds


def count_attempt(name: str, *, limit: int, within_s: int) -> None:
    """Counts one try under `name`; the count begins anew `within_s` seconds after its first.

    Raises:
        TooManyTries: `limit` was reached, or the broker is away: what cannot be counted is not allowed.
    """
    count, left_s = record_attempt(name, within_s=within_s)
    if count > limit:
        raise RateLimited(max(1, left_s))


def record_attempt(name: str, *, within_s: int) -> tuple[int, int]:
    """Count one try under `name`, however many there were; return the count, and the seconds until it begins anew.

    Raises:
        TooManyTries: the broker is away.
    """
    with _counting(within_s) as pipeline:
        pipeline.set(_key(name), 0, ex=within_s, nx=True)
        pipeline.incr(_key(name))
        pipeline.ttl(_key(name))
        _, count, left_s = pipeline.execute()
    return int(count), int(left_s)


def attempts(name: str, *, within_s: int) -> tuple[int, int]:
    """Return the count under `name`, and the seconds until it begins anew. Raises as `record_attempt`."""
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
