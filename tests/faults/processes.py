"""Processes of the product beside those of `manage.py live`, and who of them is still alive."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import httpx
import redis

from meetings.broker.leases import LEASE_MS, WORKERS, lease_key
from tests.live import REPOSITORY, RunningParlance, free_port

CHILDREN = ("inference", "web", "valkey-server")
"""Of `manage.py live`."""

START_S = 120.0
STOP_S = 30.0
LOOK_S = 0.1


@dataclass
class Process:
    """One `manage.py` command with the settings of a running product."""

    arguments: Sequence[str]
    environment: dict[str, str]
    prefix: Sequence[str] = ()
    """A command that runs it."""
    lines: list[str] = field(default_factory=list)
    popen: subprocess.Popen[str] = field(init=False)
    _listening: threading.Thread = field(init=False)

    def start(self) -> None:
        self.popen = subprocess.Popen(
            [*self.prefix, sys.executable, "manage.py", *self.arguments],
            cwd=REPOSITORY,
            env={**self.environment, "PYTHONFAULTHANDLER": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()

    @property
    def output(self) -> str:
        return "".join(self.lines)

    @property
    def is_alive(self) -> bool:
        return self.popen.poll() is None

    def until_said(self, words: str) -> None:
        """Raises AssertionError when it ends instead, or takes too long."""
        deadline = time.monotonic() + START_S
        while words not in self.output:
            assert self.is_alive, f"{self.arguments} ended with {self.popen.returncode}:\n{self.output}"
            assert time.monotonic() < deadline, f"{self.arguments} did not say {words!r}:\n{self.output}"
            time.sleep(LOOK_S)

    def stop(self) -> int:
        """SIGTERM, as an operator would. One that does not end says where its threads are, and fails the test."""
        self.popen.terminate()
        try:
            return self.popen.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.popen.send_signal(signal.SIGABRT)
            self.popen.wait(STOP_S)
            self._listening.join(STOP_S)
            raise AssertionError(f"{self.arguments} did not end:\n{self.output}") from None

    def _listen(self) -> None:
        assert self.popen.stdout is not None
        self.lines.extend(self.popen.stdout)


@contextmanager
def second_worker(
    parlance: RunningParlance, *, environment: dict[str, str] | None = None, prefix: Sequence[str] = ()
) -> Iterator[Process]:
    """Ready when it is given."""
    worker = Process(["inference", "--name", "second"], {**parlance.environment, **(environment or {})}, prefix)
    worker.start()
    try:
        worker.until_said("worker_ready")
        yield worker
    finally:
        worker.stop()


@contextmanager
def second_web(
    parlance: RunningParlance, *, environment: dict[str, str] | None = None, prefix: Sequence[str] = ()
) -> Iterator[tuple[Process, int]]:
    """With its port."""
    port = free_port()
    web = Process(["web", "--port", str(port)], {**parlance.environment, **(environment or {})}, prefix)
    web.start()
    try:
        _until_healthy(web, port)
        yield web, port
    finally:
        web.stop()


def _until_healthy(web: Process, port: int) -> None:
    deadline = time.monotonic() + START_S
    while True:
        with suppress(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/healthz").raise_for_status()
            return
        assert web.is_alive, f"the web process ended with {web.popen.returncode}:\n{web.output}"
        assert time.monotonic() < deadline, f"the web process does not answer:\n{web.output}"
        time.sleep(LOOK_S)


@contextmanager
def only_these_die(parlance: RunningParlance, *names: str, others: Sequence[Process] = ()) -> Iterator[None]:
    """Fails when another child of `live` has another number afterwards, or one of `others` has ended."""
    before = {name: pid for name, pid in _pids(parlance).items() if name not in names}
    yield
    after = _pids(parlance)
    assert {name: after.get(name) for name in before} == before
    assert [process.arguments for process in others if not process.is_alive] == []


def _pids(parlance: RunningParlance) -> dict[str, int]:
    """Of those that there are: a broker of the operator's own is no child."""
    found = {}
    for name in CHILDREN:
        with suppress(AssertionError):
            found[name] = parlance.process(name).pid
    return found


class Assignment:
    """Which worker has which meeting, as the leases in the broker say."""

    def __init__(self, broker: redis.Redis) -> None:
        self._broker = broker

    def workers(self) -> set[str]:
        """Those that count as ready."""
        return {name.decode() for name in self._broker.zrange(WORKERS, 0, -1)}

    def new_worker(self, *known: str) -> str:
        """The one beside those that are known; on a busy machine its sign of life may be late."""
        deadline = time.monotonic() + START_S
        while len(found := self.workers() - {*known}) != 1:
            assert time.monotonic() < deadline, f"{found} beside {known}"
            time.sleep(LOOK_S)
        return found.pop()

    def worker_of(self, meeting_id: str) -> str:
        """Empty: nobody's."""
        return (self._broker.get(lease_key(meeting_id)) or b"").decode()

    def reserve(self, meeting_id: str, worker: str) -> None:
        """As if that worker had just taken the meeting: no other one tries for the time of a lease."""
        assert self._broker.set(lease_key(meeting_id), worker, px=LEASE_MS, nx=True)


def broker_of(parlance: RunningParlance) -> redis.Redis:
    """A client of the embedded broker."""
    return redis.Redis(unix_socket_path=str(parlance.data / "valkey.sock"), socket_timeout=5)
