"""The real product for tests and benchmarks: all processes, a host that plays a recording, a viewer that reads."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import httpx
import numpy as np
import psutil
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from inference.audio import SAMPLE_RATE, decode_file
from tests import REPOSITORY
from tests.once_a_run import migrated_database

START_TIMEOUT_S = 180
"""Loading models on a busy machine."""
LOOK_S = 0.1
FRAME_SAMPLES = SAMPLE_RATE // 10
MAX_IN_FLIGHT = 40

Message = dict[str, Any]


def load_pcm(path: Path) -> bytes:
    """A recording as the host sends it: signed 16-bit little-endian mono at 16 kHz."""
    return to_pcm(np.concatenate(list(decode_file(path))))


def to_pcm(samples: np.ndarray) -> bytes:
    """float32 samples, shape (samples,), as signed 16-bit little-endian."""
    return (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()


def frames_of(pcm: bytes) -> list[bytes]:
    size = FRAME_SAMPLES * 2
    return [pcm[at : at + size] for at in range(0, len(pcm), size)]


@dataclass(frozen=True, slots=True)
class MeetingLinks:
    id: str
    host_token: str
    join_token: str
    port: int

    def host(self, **query: object) -> str:
        return self._url("host", self.host_token, query)

    def viewer(self, **query: object) -> str:
        return self._url("captions", self.join_token, query)

    def _url(self, kind: str, token: str, query: dict[str, object]) -> str:
        extra = "".join(f"&{name}={value}" for name, value in query.items())
        return f"ws://127.0.0.1:{self.port}/ws/{kind}/{self.id}/?token={token}{extra}"


class RunningParlance:
    """`manage.py live` in a folder of its own. `process("inference")` is the psutil process of a child."""

    def __init__(self, data: Path, *, environment: dict[str, str] | None = None) -> None:
        self.data = data
        self.port = free_port()
        self.environment = {
            **os.environ,
            "PARLANCE_DATA": str(data),
            "PARLANCE_MODELS_DIR": os.environ.get("PARLANCE_MODELS_DIR", str(REPOSITORY / "var" / "models")),
            **(environment or {}),
        }
        self.sign_in_link = ""
        """Empty once somebody can sign in without one."""
        self.ready_s = 0.0
        """Seconds from the start of `live` to its word that it is ready."""
        self._output: list[str] = []
        self._live: subprocess.Popen[str] | None = None
        self._clerk: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def output(self) -> str:
        return "".join(self._output)

    def start(self) -> None:
        self._lay_out_database()
        began = time.monotonic()
        self._live = subprocess.Popen(
            [sys.executable, "manage.py", "live", "--port", str(self.port)],
            cwd=REPOSITORY,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said = threading.Event()
        threading.Thread(target=self._listen, args=(self._live, said), daemon=True).start()
        if not said.wait(START_TIMEOUT_S):
            self.stop()
            raise AssertionError(f"live did not become ready:\n{self.output}")
        self.ready_s = time.monotonic() - began

    @property
    def is_running(self) -> bool:
        return self._live is not None and self._live.poll() is None

    def wait_until_ready(self) -> None:
        """Until all of its processes are, as `/readyz` says. One that was killed does not even answer."""
        deadline = time.monotonic() + START_TIMEOUT_S
        with httpx.Client(base_url=self.url) as client:
            while True:
                with suppress(httpx.TransportError):
                    if client.get("/readyz").is_success:
                        return
                assert time.monotonic() < deadline, self.output
                time.sleep(LOOK_S)

    def stop(self) -> int:
        """SIGTERM, as an operator would; returns the exit code."""
        assert self._live is not None
        if self._clerk is not None:
            self._clerk.kill()
            self._clerk.communicate()
            self._clerk = None
        self._live.send_signal(signal.SIGTERM)
        return self._live.wait(30)

    def manage(self, *arguments: str) -> str:
        return _manage(self.environment, *arguments)

    def create_meeting(self, *arguments: str) -> MeetingLinks:
        """As `manage.py meeting create` does, `arguments` being its options."""
        made = json.loads(self._have("meeting", "--title", "Test", *arguments))
        return MeetingLinks(made["id"], made["host_token"], made["join_token"], self.port)

    def set_state(self, meeting_id: str, state: str) -> None:
        """Store a meeting's state, as a worker does."""
        self._have("state", meeting_id, state)

    @contextmanager
    def feeding(self, meeting_id: str, *, count: int, **choices: float) -> Iterator[None]:
        """`count` captions are written into the meeting while the block runs; ends when all of them are.

        `choices` are those of `tests.feeder.feed`.
        """
        clerk = self._ask("feed", meeting_id, {"count": count, **choices})
        try:
            yield
        finally:
            fed = clerk.readline()
        assert fed == f"{count}\n"

    def new_sign_in_link(self, address: str = "") -> str:
        """As `manage.py signin` prints one for pages at `address`, or at this server; each can be used once."""
        return self._have("link", address or self.url).strip()

    def _have(self, *wish: str) -> str:
        return self._ask(*wish).readline()

    def _ask(self, *wish: object) -> IO[str]:
        """What the clerk answers, who comes when there is something to do."""
        clerk = self._clerk = self._clerk or self._hire()
        assert clerk.stdin is not None
        assert clerk.stdout is not None
        clerk.stdin.write(json.dumps(wish) + "\n")
        clerk.stdin.flush()
        return clerk.stdout

    def _hire(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.clerk"],
            cwd=REPOSITORY,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _lay_out_database(self) -> None:
        if self.environment.get("DATABASE_URL"):
            self.manage("migrate", "--verbosity", "0")
        elif not (self.data / "parlance.sqlite3").exists():
            shutil.copy(migrated_database(), self.data)

    @property
    def supervisor(self) -> psutil.Process:
        """`manage.py live` itself, which starts the others again."""
        assert self._live is not None
        return psutil.Process(self._live.pid)

    def process(self, name: str) -> psutil.Process:
        """The running child `inference`, `web` or `valkey-server`."""
        for child in self.supervisor.children(recursive=True):
            if _is_named(child, name):
                return child
        raise AssertionError(f"{name} is not running")

    def _listen(self, live: subprocess.Popen[str], said: threading.Event) -> None:
        assert live.stdout is not None
        for line in live.stdout:
            self._output.append(line)
            if line.startswith("Sign in "):
                self.sign_in_link = line.split()[-1] if line.startswith("Sign in once with ") else ""
                said.set()


def _manage(environment: dict[str, str], *arguments: str) -> str:
    """What a command prints. Fails the test where it does not end well."""
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{arguments} ended with {done.returncode}: {done.stderr}"
    return done.stdout


def _is_named(process: psutil.Process, name: str) -> bool:
    try:
        line = process.cmdline()
    except (psutil.ZombieProcess, psutil.NoSuchProcess):
        return False
    return bool(line) and (Path(line[0]).name == name or line[2:3] == [name])


@contextmanager
def running_parlance(*, environment: dict[str, str] | None = None) -> Iterator[RunningParlance]:
    data = Path(tempfile.mkdtemp(prefix="parlance-live-"))
    parlance = RunningParlance(data, environment=environment)
    parlance.start()
    try:
        yield parlance
    finally:
        parlance.stop()
        shutil.rmtree(data, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Host:
    """Plays PCM frames as a browser does: numbered, kept until acknowledged, sent again after a cut."""

    links: MeetingLinks
    frames: list[bytes]
    speed: float = 1.0
    session: str = "page"
    acked: int = -1
    started: float = 0.0
    """`time.monotonic` at which the first frame was due."""
    received: list[Message] = field(default_factory=list)
    on_acked: dict[int, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    """Called once when this frame is acknowledged."""
    on_refused: dict[str, Callable[[], None]] = field(default_factory=dict)
    """Called once when an error with this code comes."""
    socket: ClientConnection | None = None
    _credit: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_IN_FLIGHT))

    async def play(self, *, end: bool = True) -> None:
        """Returns when every frame is acknowledged and, with `end`, the meeting has ended."""
        while True:
            try:
                async with connect(self.links.host(session=self.session), max_size=None) as self.socket:
                    if await self._converse(self.socket, end=end):
                        return
            except (ConnectionClosed, OSError):
                await asyncio.sleep(0.2)

    async def _converse(self, socket: ClientConnection, *, end: bool) -> bool:
        ready = json.loads(await socket.recv())
        if ready["type"] == "error":
            self._refused(ready["code"])
            return False
        sender = asyncio.create_task(self._send(socket, ready["next_frame"]))
        try:
            async for text in socket:
                message = json.loads(text)
                self.received.append(message)
                if message["type"] == "error":
                    self._refused(message["code"])
                if message["type"] == "ack":
                    await self._acknowledged(message["frame"])
                    if self.acked == len(self.frames) - 1:
                        if not end:
                            return True
                        await socket.send('{"type":"end"}')
                if message.get("state") == "ended" and message["type"] in ("notice", "hello"):
                    return True
        finally:
            sender.cancel()
        return False

    def _refused(self, code: str) -> None:
        if code in self.on_refused:
            self.on_refused.pop(code)()

    async def _acknowledged(self, frame: int) -> None:
        self.acked = max(self.acked, frame)
        self._credit.release()
        for due in [number for number in self.on_acked if number <= self.acked]:
            await self.on_acked.pop(due)()

    async def _send(self, socket: ClientConnection, first: int) -> None:
        self.started = self.started or time.monotonic()
        self.acked = max(self.acked, first - 1)
        self._credit = asyncio.Semaphore(MAX_IN_FLIGHT)
        for number in range(first, len(self.frames)):
            due = self.started + number * 0.1 / self.speed
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await self._credit.acquire()
            await socket.send(struct.pack(">I", number) + self.frames[number])


@dataclass
class Reader:
    """A viewer that confirms what it reads and comes back after a cut where it was."""

    links: MeetingLinks
    messages: list[tuple[float, Message]] = field(default_factory=list)
    """With `time.monotonic` at arrival."""
    captions: dict[str, Message] = field(default_factory=dict)
    summaries: dict[str, Message] = field(default_factory=dict)
    seq: int = 0
    connections: int = 0
    """Those of `watch`, the first one included."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def watch(self) -> None:
        """Until the meeting has ended."""
        while not self.ended.is_set():
            try:
                async with connect(self.links.viewer(after=self.seq), max_size=None) as socket:
                    self.connections += 1
                    async for text in socket:
                        await self._take(socket, json.loads(text))
                        if self.ended.is_set():
                            return
            except (ConnectionClosed, OSError):
                await asyncio.sleep(0.2)

    async def snapshot(self) -> list[Message]:
        """What a newcomer gets: the present form of everything, in the order of the meeting."""
        async with connect(self.links.viewer(), max_size=None) as socket:
            hello = json.loads(await socket.recv())
            while self.seq < hello["last_seq"]:
                await self._take(socket, json.loads(await socket.recv()))
        return self.transcript()

    def transcript(self) -> list[Message]:
        return sorted(self.captions.values(), key=lambda caption: (caption["start"], caption["segment"]))

    async def _take(self, socket: ClientConnection, message: Message) -> None:
        self.messages.append((time.monotonic(), message))
        if message["type"] == "summary":
            self.summaries[message["id"]] = message
        if message["type"] == "caption":
            self.captions[message["segment"]] = message
        if message["type"] in ("caption", "summary"):
            self.seq = max(self.seq, message["seq"])
            await socket.send(json.dumps({"type": "seen", "seq": self.seq}))
        if message.get("state") == "ended":
            self.ended.set()
