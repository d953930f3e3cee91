"""Run Parlance with several workers and web processes on one machine, Valkey and database."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from urllib.error import URLError
from urllib.request import urlopen

import psutil
import redis

from benchmarks.fanout import cpu_s
from benchmarks.report import REPOSITORY
from benchmarks.vitals import MIB
from meetings.broker.leases import count_workers
from meetings.environment import read_environment
from tests.live import START_TIMEOUT_S, MeetingLinks, RunningParlance, free_port, running_parlance

LOOK_S = 0.2


@dataclass
class Layout:
    """The processes of one product."""

    parlance: RunningParlance
    processes: dict[str, list[psutil.Process]] = field(default_factory=dict)
    """By kind: `inference`, `web`, `valkey-server`."""
    ports: list[int] = field(default_factory=list)
    """Ports of the web processes."""

    def __post_init__(self) -> None:
        self.processes = {name: [self.parlance.process(name)] for name in ("inference", "web", "valkey-server")}
        self.ports = [self.parlance.port]
        socket = read_environment({"PARLANCE_DATA": str(self.parlance.data), "SECRET_KEY": "none"}).broker_socket
        self.broker = redis.Redis(unix_socket_path=str(socket))

    def links(self, meeting: MeetingLinks, place: int) -> MeetingLinks:
        """Return the meeting's links at one of the web processes, chosen round-robin by `place`."""
        return MeetingLinks(meeting.id, meeting.host_token, meeting.join_token, self.ports[place % len(self.ports)])

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU seconds of all processes of a kind since they started."""
        return {name: sum(map(cpu_s, processes)) for name, processes in self.processes.items()}

    def resident_mib(self) -> dict[str, float]:
        return {
            name: round(sum(process.memory_info().rss for process in processes) / MIB, 1)
            for name, processes in self.processes.items()
        }


@contextmanager
def running_layout(copies: int, *, environment: Mapping[str, str] | None = None) -> Iterator[Layout]:
    """Run `copies` workers and `copies` web processes, the first ones under the supervisor."""
    with running_parlance(environment=dict(environment or {})) as parlance, ExitStack() as others:
        layout = Layout(parlance)
        for number in range(1, copies):
            port = free_port()
            web = _started(parlance, "web", "--port", str(port))
            worker = _started(parlance, "inference", "--name", f"copy{number}")
            layout.processes["web"].append(others.enter_context(web))
            layout.processes["inference"].append(others.enter_context(worker))
            layout.ports.append(port)
        _wait_until_ready(layout, copies)
        yield layout


@contextmanager
def _started(parlance: RunningParlance, *arguments: str) -> Iterator[psutil.Process]:
    command = [sys.executable, "manage.py", *arguments]
    with subprocess.Popen(command, cwd=REPOSITORY, env=parlance.environment, stderr=subprocess.DEVNULL) as process:
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()


def _wait_until_ready(layout: Layout, copies: int) -> None:
    """Wait for all processes. Raises TimeoutError."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while count_workers(layout.broker) < copies or not all(map(_answers, layout.ports)):
        if time.monotonic() > deadline:
            raise TimeoutError("not all processes became ready")
        time.sleep(LOOK_S)


def _answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
