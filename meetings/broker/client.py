"""Clients of the broker: of the embedded Valkey (`meetings.broker.embedded`), or of any by `REDIS_URL`."""

from __future__ import annotations

import time
from functools import cache
from urllib.parse import quote

import redis
import redis.asyncio
import redis.asyncio.retry
import redis.retry
import structlog
from django.conf import settings
from redis.backoff import NoBackoff

log = structlog.get_logger(__name__)

COMMAND_S = 5.0
"""How long a command waits for its answer: a broker that hangs is told about like one that is away."""

BLOCK_S = 10.0
"""The longest that a reading may wait at the broker for something to come."""

CONNECTIONS = 10_000
"""Of one client. Each subscription holds one, and redis-py by itself refuses the hundred and first."""

EVEN_WHEN_FULL = "#!lua flags=allow-oom\n"
"""First line of the scripts that a broker at its bound of memory takes too: those by which it is emptied again."""

LOADING_POLL_S = 0.2
LOADING_LOG_S = 10.0
"""Between two lines of the log about a broker that loads."""

SCHEMES = {"valkey": "redis", "valkeys": "rediss"}
"""Names that Valkey's own tools use, and what redis-py calls them."""


class BrokerUnreachable(Exception):
    """Nothing answers at the broker's address."""


def check_broker() -> None:
    """Return when the broker answers; one that still loads its file is waited for.

    Raises:
        BrokerUnreachable: nothing answers.
    """
    said_at = -LOADING_LOG_S
    while True:
        try:
            connect_sync().ping()
        except redis.BusyLoadingError:
            if time.monotonic() - said_at > LOADING_LOG_S:
                log.info("broker_loads", broker=_address())
                said_at = time.monotonic()
            time.sleep(LOADING_POLL_S)
        except (redis.RedisError, OSError) as error:
            raise BrokerUnreachable(f"The broker at {_address()} does not answer: {error}") from error
        else:
            return


def broker_url() -> str:
    """Return the broker's address in the form that redis-py reads."""
    environment = settings.ENVIRONMENT
    if not environment.broker_url:
        return f"unix://{quote(str(environment.broker_socket))}"
    scheme, mark, rest = str(environment.broker_url).partition("://")
    return f"{SCHEMES.get(scheme, scheme)}{mark}{rest}"


def _address() -> str:
    """Return the broker's address as people may read it, without its password."""
    scheme, mark, rest = broker_url().partition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"


def connect() -> redis.asyncio.Redis:
    """Return a client for one event loop. Failing calls fail at once: callers own the pace of retries."""
    return _connect(COMMAND_S)


def connect_blocking() -> redis.asyncio.Redis:
    """Return the client of readings that wait at the broker (`XREAD BLOCK`, `BLPOP`), `BLOCK_S` at most."""
    return _connect(BLOCK_S + COMMAND_S)


def connect_sync() -> redis.Redis:
    """Return the process's client for plain threads: commands, admin pages, health checks."""
    return _connected_sync(broker_url())


def _connect(timeout_s: float) -> redis.asyncio.Redis:
    return redis.asyncio.Redis.from_url(
        broker_url(),
        socket_timeout=timeout_s,
        socket_connect_timeout=COMMAND_S,
        max_connections=CONNECTIONS,
        retry=redis.asyncio.retry.Retry(NoBackoff(), 0),
        decode_responses=False,
    )


@cache
def _connected_sync(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url,
        socket_timeout=COMMAND_S,
        socket_connect_timeout=COMMAND_S,
        max_connections=CONNECTIONS,
        retry=redis.retry.Retry(NoBackoff(), 0),
        decode_responses=False,
    )
