"""How often something may be tried: counted in the broker, so for all web processes together."""

from __future__ import annotations

from redis.exceptions import RedisError

from meetings.broker import connect_sync


class TooManyTries(Exception):
    """Not now; `seconds` says when again."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Try again in {seconds} s.")
        self.seconds = seconds


def count_try(name: str, *, limit: int, within_s: int) -> None:
    """Counts one try under `name`; the count begins anew `within_s` seconds after its first.

    Raises:
        TooManyTries: `limit` was reached, or the broker is away: what cannot be counted is not allowed.
    """
    key = f"parlance:tries:{name}"
    try:
        with connect_sync().pipeline() as pipeline:
            pipeline.set(key, 0, ex=within_s, nx=True)
            pipeline.incr(key)
            pipeline.ttl(key)
            _, count, left = pipeline.execute()
    except (RedisError, OSError) as error:
        raise TooManyTries(within_s) from error
    if count > limit:
        raise TooManyTries(max(1, left))
