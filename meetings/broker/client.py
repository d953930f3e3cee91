"""Clients of the broker: the embedded Valkey (`meetings.broker.embedded`), or any server at `REDIS_URL`."""

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
"""How long a command waits for its reply. A broker that hangs is treated as one that is away."""

BLOCK_S = 10.0
"""Maximum time of a blocking read."""

CONNECTIONS = 10_000
"""Connections per client. Each subscription holds one, and redis-py's default limit is one hundred."""

EVEN_WHEN_FULL = "#!lua flags=allow-oom\n"
"""First line of scripts that a broker at its memory limit must still run, since they help to empty it."""

LOADING_POLL_S = 0.2
LOADING_LOG_S = 10.0
"""Interval between two log lines about a broker that is loading."""

SCHEMES = {"valkey": "redis", "valkeys": "rediss"}
"""URL schemes of Valkey's own tools, and redis-py's names for them."""


class BrokerUnreachable(Exception):
    """The broker does not answer at its address."""


def check_broker() -> None:
    """Return when the broker answers. Wait for a broker that is still loading its file.

    Raises:
        BrokerUnreachable: there is no answer.
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
    """Return the broker's address for messages, without its password."""
    scheme, mark, rest = broker_url().partition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"


def connect() -> redis.asyncio.Redis:
    """Return a client for one event loop. It does not retry: callers control the backoff."""
    return _connect(COMMAND_S)


def connect_blocking() -> redis.asyncio.Redis:
    """Return a client for blocking reads (`XREAD BLOCK`, `BLPOP`) of up to `BLOCK_S`."""
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
