"""Web processes over one broker and one database, without a worker: quick to start, for tests of links."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import psutil

from meetings.broker.embedded import EmbeddedBroker
from meetings.environment import WebServer
from tests.live import REPOSITORY, MeetingLinks, RunningParlance, free_port

START_S = 60.0


class Webs:
    """A broker and web processes over one database, without a worker."""

    def __init__(self, data: Path, kinds: Sequence[WebServer], environment: dict[str, str]) -> None:
        self._parlance = RunningParlance(data, environment=environment)
        self._parlance._lay_out_database()
        self.processes = [Web({**self._parlance.environment, "PARLANCE_WEB_SERVER": kind}) for kind in kinds]

    @property
    def first(self) -> Web:
        return self.processes[0]

    def new_meeting(self, *arguments: str) -> list[MeetingLinks]:
        """Links to the same meeting, one at each process."""
        links = self._parlance.create_meeting(*arguments)
        return [replace(links, port=web.port) for web in self.processes]

    def sign_in_link(self, address: str) -> str:
        """A link at `address` that signs in once."""
        return self._parlance.new_sign_in_link(address)

    def manage(self, *arguments: str) -> str:
        return self._parlance.manage(*arguments)

    def set_state(self, meeting_id: str, state: str) -> None:
        """As a worker does."""
        self._parlance.set_state(meeting_id, state)

    def stop(self) -> None:
        for web in self.processes:
            web.stop()
        if self._parlance._clerk is not None:
            self._parlance._clerk.kill()
            self._parlance._clerk.communicate()


class Web:
    """One `manage.py web`."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.port = free_port()
        command = [sys.executable, "manage.py", "web", "--port", str(self.port)]
        self.process = psutil.Popen(command, cwd=REPOSITORY, env=environment, stderr=subprocess.DEVNULL)
        until = time.monotonic() + START_S
        while not self._answers():
            assert time.monotonic() < until, "the web process does not answer"

    def _answers(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/healthz").status_code == 200
        except httpx.TransportError:
            time.sleep(0.1)
            return False

    def stop(self) -> None:
        if self.process.is_running():
            self.process.kill()
            self.process.wait()


@contextmanager
def running_webs(*kinds: WebServer, environment: dict[str, str] | None = None) -> Iterator[Webs]:
    data = Path(tempfile.mkdtemp(prefix="parlance-webs-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, data, ignore_errors=True)
        broker = EmbeddedBroker(data / "broker", data / "valkey.sock")
        broker.start()
        stack.callback(broker.stop)
        webs = Webs(data, kinds, environment or {})
        stack.callback(webs.stop)
        yield webs
