"""All processes of one box: broker, inference, web. Starts them, restarts what dies, ends them in order."""

from __future__ import annotations

import ctypes
import fcntl
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from meetings.broker import BrokerStartError, EmbeddedBroker, connect_sync
from meetings.environment import BASE_DIR, Environment
from meetings.operators.incidents import file_death

log = structlog.get_logger(__name__)

CHECK_S = 0.2
STOP_S = 15.0
"""A child that has not ended by then is killed; the worker drains for at most `worker.DRAIN_S`."""

RESTART_PAUSE_S = (0.2, 1.0, 2.0, 5.0)
"""Before the first, second, ... restart in a row."""

STEADY_S = 30.0
"""A child that ran this long has proved itself: its next restart is prompt again."""


class PortInUse(Exception):
    """Somebody else listens where we should."""


class AlreadyRunning(Exception):
    """Another supervisor owns the data folder."""


def check_port(host: str, port: int) -> None:
    """Raises PortInUse unless `host:port` is free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortInUse(
                f"Port {port} of {host} cannot be used ({error.strerror}); choose another with --port."
            ) from error


@contextmanager
def data_folder_lock(data: Path) -> Iterator[None]:
    """Holds the data folder for this process. Raises AlreadyRunning when another one does."""
    data.mkdir(parents=True, exist_ok=True)
    with (data / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(f"Parlance is already running with {data}; stop it, or set PARLANCE_DATA.") from error
        yield


@dataclass(slots=True)
class Child:
    """One `manage.py` process that is to run all the time."""

    name: str
    arguments: list[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restarts: int = 0
    restart_at: float = field(default=0.0)
    on_death: Callable[[str], object] = lambda reason: None
    """Told why it died, in words."""

    def start(self) -> None:
        self.started_at = time.monotonic()
        command = [sys.executable, str(BASE_DIR / "manage.py"), *self.arguments]
        self.process = subprocess.Popen(command, cwd=BASE_DIR, preexec_fn=_die_with_parent, start_new_session=True)

    def mind(self, now: float) -> None:
        """Starts the process again when it has died, sooner the longer it ran."""
        if self.process is not None and (code := self.process.poll()) is not None:
            self.process = None
            self.restarts = 0 if now - self.started_at > STEADY_S else self.restarts
            pause = RESTART_PAUSE_S[min(self.restarts, len(RESTART_PAUSE_S) - 1)]
            self.restarts += 1
            self.restart_at = now + pause
            log.error("process_died", process=self.name, reason=_reason(code), restart_in_s=pause)
            self.on_death(_reason(code))
        if self.process is None and now >= self.restart_at:
            self.start()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def wait(self, deadline: float) -> None:
        if self.process is None:
            return
        try:
            self.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.error("process_killed", process=self.name, reason=f"did not end within {STOP_S:.0f} s")
            self.process.kill()
            self.process.wait()


class Supervisor:
    """Owns the children; `run` returns when it was told to stop and everything has ended."""

    def __init__(self, environment: Environment, *, host: str, port: int) -> None:
        self._broker = None
        if not environment.broker_url:
            self._broker = EmbeddedBroker(environment.data / "broker", environment.broker_socket)
        self._inference = Child("inference", ["inference"], on_death=_tell_operators)
        self._web = Child("web", ["web", "--host", host, "--port", str(port)])
        self._stop = threading.Event()

    def request_stop(self) -> None:
        self._stop.set()

    def run(self, on_started: Callable[[], None]) -> None:
        """Starts everything, calls `on_started` in a thread of its own, and minds the processes until told to stop."""
        if self._broker is not None:
            self._broker.start()
        try:
            threading.Thread(target=on_started, daemon=True).start()
            while not self._stop.is_set():
                self._mind()
                self._stop.wait(CHECK_S)
        finally:
            self._end()

    def _mind(self) -> None:
        if self._broker is not None and not self._broker.is_running():
            self._restart_broker(self._broker)
        now = time.monotonic()
        self._inference.mind(now)
        self._web.mind(now)

    def _restart_broker(self, broker: EmbeddedBroker) -> None:
        """Tries again at every check: a broker that cannot start (a full disk) is waited for, hosts keep the audio."""
        try:
            broker.restart()
        except BrokerStartError as error:
            log.error("process_died", process="broker", reason=str(error))
        else:
            log.error("process_died", process="broker", reason="started again")

    def _end(self) -> None:
        """Web first, so that no new audio comes; inference captions what it has read; the broker goes last."""
        deadline = time.monotonic() + STOP_S
        for child in (self._web, self._inference):
            child.stop()
            child.wait(deadline)
        if self._broker is not None:
            self._broker.stop()


def _tell_operators(reason: str) -> None:
    file_death(connect_sync(), "inference", reason)


def _die_with_parent() -> None:
    """A killed supervisor must not leave children that hold its port (Linux only; elsewhere they stay)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


PR_SET_PDEATHSIG = 1


def _reason(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
