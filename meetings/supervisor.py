"""All processes of one box: broker, inference, web. Starts them, restarts what dies, ends them in order."""

from __future__ import annotations

import ctypes
import fcntl
import os
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

from meetings.broker.client import connect_sync
from meetings.broker.embedded import WAIT_LOG_S, BrokerStartError, EmbeddedBroker, Health
from meetings.broker.incidents import BROKER_DIED, BROKER_SILENT, PROCESS_DIED, file_incident
from meetings.environment import BASE_DIR, Environment
from meetings.exit_codes import BAD_INPUT

log = structlog.get_logger(__name__)

CHECK_S = 0.2
STOP_S = 15.0
"""A child that has not ended by then is killed; the worker drains for at most `worker.DRAIN_S`."""

RESTART_PAUSE_S = (0.2, 1.0, 2.0, 5.0)
"""Before the first, second, ... restart in a row."""

STEADY_S = 30.0
"""A child that ran this long has proved itself: its next restart is prompt again, and its settings make sense."""

BROKER_SLOW_S = 1.0
"""A broker that has not answered for so long is told about."""

BROKER_HUNG_S = 30.0
"""A broker that has not answered for so long is ended, where that can help; the next one has what it acknowledged."""

LOW_PRIORITY = 15
"""Niceness of work that captions must not feel."""

HELD = ("T", "t", "D")
"""States of a process that no end would mend: held by a signal or a debugger, or waiting for its disk."""


class PortInUse(Exception):
    """Somebody else listens where we should."""


class SettingsRefused(Exception):
    """A process can never start with these settings. It has said why itself."""


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
    has_been_steady: bool = False
    on_death: Callable[[str], object] = lambda reason: None
    """Told why it died, in words."""

    def start(self) -> None:
        self.started_at = time.monotonic()
        # `live` has named misspelt settings itself.
        command = [sys.executable, str(BASE_DIR / "manage.py"), *self.arguments, "--verbosity", "0"]
        self.process = subprocess.Popen(command, cwd=BASE_DIR, preexec_fn=_die_with_parent, start_new_session=True)

    def mind(self, now: float) -> None:
        """Starts the process again when it has died, sooner the longer it ran.

        Raises:
            SettingsRefused: it says that its settings make no sense, and no process before it ran with them.
        """
        if self.process is not None and (code := self.process.poll()) is not None:
            self.process = None
            self._note_death(code, now)
        if self.process is None and now >= self.restart_at:
            self.start()

    def _note_death(self, code: int, now: float) -> None:
        # One that ends with BAD_INPUT was never ready, however long it took; a steady one before it shows that what is
        # wrong, as a device that is away, may pass.
        if code == BAD_INPUT and not self.has_been_steady:
            raise SettingsRefused(f"The {self.name} process cannot start with these settings; it says why above.")
        if now - self.started_at > STEADY_S:
            self.restarts = 0
            self.has_been_steady |= code != BAD_INPUT
        pause = RESTART_PAUSE_S[min(self.restarts, len(RESTART_PAUSE_S) - 1)]
        self.restarts += 1
        self.restart_at = now + pause
        log.error("process_died", process=self.name, reason=_reason(code), restart_in_s=pause)
        self.on_death(_reason(code))

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


class BrokerMinder:
    """Keeps the embedded broker's process running. It never waits, so nothing else waits for the broker."""

    def __init__(self, broker: EmbeddedBroker, *, on_trouble: Callable[[str, str], object]) -> None:
        """`on_trouble` is told an incident and its detail when the broker answers again."""
        self._broker = broker
        self._on_trouble = on_trouble
        self.has_begun = False
        """Whether a process has ever said something: the others may start."""
        self._has_loaded = False
        """Whether this process has ever answered: one that loads is not ended, however silent it is."""
        self._looked_at = time.monotonic()
        self._silent_s = 0.0
        self._hung_s = 0.0
        """Silence that nothing explains."""
        self._loading_s = 0.0
        self._said_at: dict[str, float] = {}
        self._restarts = 0
        self._started_at = 0.0
        self._restart_at: float | None = None
        self._trouble: tuple[str, str] | None = None

    def start(self) -> None:
        """Start the process, without waiting for it. Raises BrokerStartError."""
        self._broker.launch()
        self._started_at = self._looked_at = time.monotonic()

    def mind(self, now: float) -> None:
        """Look at the process: restart one that has ended, wait for one that loads, warn of one that is slow.

        Raises:
            BrokerStartError: the first process ended before it said anything.
        """
        # Not by the clock: where this process got no processor, the broker may have had none either.
        passed_s = min(now - self._looked_at, BROKER_SLOW_S)
        self._looked_at = now
        match self._broker.health():
            case Health.ENDED:
                self._bring_back(now)
            case Health.SILENT:
                self._silent_s += passed_s
                self._mind_silence(now, passed_s)
            case Health.LOADING:
                self.has_begun = True
                self._silent_s = self._hung_s = 0.0
                self._loading_s += passed_s
                self._say(now, "broker_loads", loading_s=round(self._loading_s))
            case Health.ANSWERS:
                self._mind_answer()

    def _mind_answer(self) -> None:
        self.has_begun = self._has_loaded = True
        if self._silent_s > BROKER_SLOW_S:
            log.warning("broker_answers_again", silent_s=round(self._silent_s, 1))
        if self._trouble is not None:
            self._on_trouble(*self._trouble)
        self._trouble = None
        self._silent_s = self._hung_s = self._loading_s = 0.0

    def _mind_silence(self, now: float, passed_s: float) -> None:
        if self._silent_s < BROKER_SLOW_S:
            return
        self._say(now, "broker_slow", silent_s=round(self._silent_s, 1))
        if self._silent_s > WAIT_LOG_S:
            self._trouble = self._trouble or (BROKER_SILENT, "")
        self._mind_hang(passed_s)

    def _mind_hang(self, passed_s: float) -> None:
        """Silence that a signal or the disk explains is not counted: who is let go on needs a moment to answer."""
        state = self._broker.process_state()
        if not self._has_loaded or state in HELD:
            self._hung_s = 0.0
            return
        self._hung_s += passed_s
        if self._hung_s < BROKER_HUNG_S:
            return
        log.error("process_killed", process="broker", reason=f"did not answer for {BROKER_HUNG_S:.0f} s", state=state)
        self._broker.kill()
        self._silent_s = self._hung_s = 0.0

    def _bring_back(self, now: float) -> None:
        """A broker that cannot start, as on a full disk, is tried again for ever: hosts keep the audio meanwhile."""
        self._silent_s = self._hung_s = self._loading_s = 0.0
        if self._restart_at is None:
            reason = self._broker.ending
            if not self.has_begun:
                raise BrokerStartError(f"The embedded Valkey did not start: {reason}")
            self._restarts = 0 if now - self._started_at > STEADY_S else self._restarts
            pause = RESTART_PAUSE_S[min(self._restarts, len(RESTART_PAUSE_S) - 1)]
            self._restarts += 1
            self._restart_at = now + pause
            self._trouble = (BROKER_DIED, reason)
            log.error("process_died", process="broker", reason=reason, restart_in_s=pause)
        if now < self._restart_at:
            return
        self._restart_at = None
        self._has_loaded = False
        self._started_at = now
        try:
            self._broker.launch()
        except BrokerStartError as error:
            log.error("broker_not_started", error=str(error))
            self._restart_at = now + RESTART_PAUSE_S[-1]

    def _say(self, now: float, event: str, **told: float) -> None:
        if now - self._said_at.get(event, -WAIT_LOG_S) >= WAIT_LOG_S:
            self._said_at[event] = now
            log.warning(event, **told)

    def stop(self) -> None:
        self._broker.stop()


class Supervisor:
    """Owns the children; `run` returns when it was told to stop and everything has ended."""

    def __init__(self, environment: Environment, *, host: str, port: int) -> None:
        self._broker: BrokerMinder | None = None
        if not environment.broker_url:
            server = EmbeddedBroker(
                environment.data / "broker", environment.broker_socket, memory=environment.broker_memory
            )
            self._broker = BrokerMinder(server, on_trouble=lambda event, detail: _tell("broker", event, detail))
        self._inference = Child(
            "inference", ["inference"], on_death=lambda reason: _tell("inference", PROCESS_DIED, reason)
        )
        self._web = Child("web", ["web", "--host", host, "--port", str(port)])
        self._stop = threading.Event()

    def request_stop(self) -> None:
        self._stop.set()

    def run(self, on_started: Callable[[], None]) -> None:
        """Starts everything, calls `on_started` in a thread of its own, and minds the processes until told to stop.

        Raises SettingsRefused after everything has ended.
        """
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
        now = time.monotonic()
        if self._broker is not None:
            self._broker.mind(now)
            if not self._broker.has_begun:
                return
        self._inference.mind(now)
        self._web.mind(now)

    def _end(self) -> None:
        """Web first, so that no new audio comes; inference captions what it has read; the broker goes last."""
        deadline = time.monotonic() + STOP_S
        for child in (self._web, self._inference):
            child.stop()
            child.wait(deadline)
        if self._broker is not None:
            self._broker.stop()


def _tell(who: str, event: str, detail: str) -> None:
    """In a thread of its own: a broker that hangs would hold up the looks after everything else."""
    threading.Thread(target=file_incident, args=(connect_sync(), who, event, detail), daemon=True).start()


def run_to_end(arguments: list[str]) -> str:
    """Run a `manage.py` command at low priority; return its last words if it failed, else an empty text."""
    command = [sys.executable, str(BASE_DIR / "manage.py"), *arguments]
    done = subprocess.run(
        command,
        cwd=BASE_DIR,
        preexec_fn=_step_back,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or [_reason(done.returncode)])[-1]


def _step_back() -> None:
    _die_with_parent()
    os.nice(LOW_PRIORITY)


def _die_with_parent() -> None:
    """A killed supervisor must not leave children that hold its port (Linux only; elsewhere they stay)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


PR_SET_PDEATHSIG = 1


def _reason(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
