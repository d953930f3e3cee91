"""Outage: what "summarise now" during speech costs the readers, with the real processes and models.

A host plays speech at real time and requests a summary twice: a worker's first one loads the summarizer, and the second
is representative of later ones. A viewer's messages are timed (`benchmarks/pauses.py` defines the figures). There are
four configurations, each with a separate product: the default on this machine (models stay and take turns) without and
with the bridge; models that move (`PARLANCE_RESIDENCY=swap`); and the same with a summarizer that writes nothing
(`benchmarks/mute_worker.py`, which replaces the product's worker), so that only the swaps remain. `--quick` runs only
the pair without and with the bridge.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.pauses import NoPause, Pause, Told, first_finals, longest_gap, pause_after
from benchmarks.report import REPOSITORY
from tests.live import Host, MeetingLinks, Reader, RunningParlance, frames_of, load_pcm, running_parlance

CLIPS = [REPOSITORY / "tests" / "speech" / name for name in ("lobster_41s.flac", "lobster_24s.flac")]
ROUNDS = 3
"""Repetitions of the clips; more speech than LIMIT_S."""

PAUSES = 2
CAPTIONED = 2
"""Finals before each request, so that there is text to summarize and captions are running."""

LIMIT_S = 170.0
"""Time limit of a configuration; on a busy machine, results up to then are reported."""

LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class Way:
    """One configuration of the models."""

    environment: dict[str, str] = field(default_factory=dict)
    writes: bool = True


WAYS = {
    "bridge off": Way({"PARLANCE_BRIDGE": "off"}),
    "bridge on": Way({"PARLANCE_BRIDGE": "on"}),
    "models move": Way({"PARLANCE_BRIDGE": "off", "PARLANCE_RESIDENCY": "swap"}),
    "models move, nothing written": Way({"PARLANCE_BRIDGE": "off", "PARLANCE_RESIDENCY": "swap"}, writes=False),
}
PAIR = ("bridge off", "bridge on")


def run(*, quick: bool = False) -> dict[str, Any]:
    """Measure every configuration in sequence; each is printed to standard error when done."""
    found = {}
    for name in PAIR if quick else WAYS:
        found[name] = measure(WAYS[name])
        print(json.dumps({name: found[name]}), file=sys.stderr, flush=True)
    return found


def measure(way: Way) -> dict[str, Any]:
    """Run one product with one meeting and two summaries."""
    with running_parlance(environment=way.environment) as parlance, worker_of(parlance, way):
        links = parlance.create_meeting("--language", "en")
        meeting = Interrupted(links)
        is_whole = asyncio.run(meeting.hold())
        swaps = swaps_of(parlance)
    return {
        "whole": is_whole,
        "before": {"dead_air_s": rounded(meeting.usual_gap()), "slowest_final_s": rounded(meeting.usual_wait())},
        "pauses": [figures(pause) for pause in meeting.pauses()],
        "swaps": swaps,
        "load_average": rounded(os.getloadavg()[0]),
    }


@contextmanager
def worker_of(parlance: RunningParlance, way: Way) -> Iterator[None]:
    """Use the product's worker, or the mute one while the product's is suspended."""
    if way.writes:
        yield
        return
    own = parlance.process("inference")
    command = [sys.executable, "-m", "benchmarks.mute_worker"]
    with subprocess.Popen(command, cwd=REPOSITORY, env=parlance.environment, stderr=subprocess.PIPE, text=True) as mute:
        _wait_until_ready(mute)
        own.suspend()
        try:
            yield
        finally:
            own.resume()
            mute.terminate()


def _wait_until_ready(worker: subprocess.Popen[str]) -> None:
    """Wait for the worker. Raises RuntimeError if it ends instead."""
    assert worker.stderr is not None
    if not any('"worker_ready"' in line for line in worker.stderr):
        raise RuntimeError(f"the worker ended with {worker.wait()}")
    # Drain its later output; otherwise the worker would block on a full pipe.
    threading.Thread(target=worker.stderr.read, daemon=True).start()


@dataclass
class Interrupted:
    """One meeting at real time whose host requests summaries."""

    links: MeetingLinks
    asked: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        frames = frames_of(b"".join(load_pcm(clip) for clip in CLIPS * ROUNDS))
        self._host, self._reader = Host(self.links, frames), Reader(self.links)

    @property
    def told(self) -> list[Told]:
        return self._reader.messages

    def pauses(self) -> list[Pause]:
        """Return the completed pauses."""
        found = []
        for asked in self.asked:
            with contextlib.suppress(NoPause):
                found.append(pause_after(asked, self.told, started=self._host.started))
        return found

    def usual_gap(self) -> float:
        """Return the longest time without text before the first request."""
        times = [at for at, message in self.told if message["type"] in ("partial", "caption")]
        return longest_gap(times, 0.0, self.asked[0])

    def usual_wait(self) -> float:
        """Return the slowest final before the first request."""
        waits = [at - self._host.started - end for at, end in first_finals(self.told) if at < self.asked[0]]
        return max(waits)

    async def hold(self) -> bool:
        """Run until captions continue after the last summary; return False on timeout."""
        tasks = [asyncio.create_task(self._host.play(end=False)), asyncio.create_task(self._reader.watch())]
        try:
            async with asyncio.timeout(LIMIT_S):
                for _ in range(PAUSES):
                    await self._until_captioned()
                    await self._ask()
                    await self._until(lambda: self._was_told("live", after="catching_up"))
                await self._until_captioned()
        except TimeoutError:
            return False
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return True

    async def _ask(self) -> None:
        assert self._host.socket is not None
        self.asked.append(time.monotonic())
        await self._host.socket.send(json.dumps({"type": "summarize"}))

    async def _until_captioned(self) -> None:
        known = len(first_finals(self.told))
        await self._until(lambda: len(first_finals(self.told)) >= known + CAPTIONED)

    async def _until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():  # noqa: ASYNC110 - the reader has no event for it
            await asyncio.sleep(LOOK_S)

    def _was_told(self, state: str, *, after: str) -> bool:
        """Return whether `state` came after `after`, since the last request."""
        states = [message["state"] for at, message in self.told if at > self.asked[-1] and message["type"] == "notice"]
        return after in states and state in states[states.index(after) :]


def swaps_of(parlance: RunningParlance) -> list[dict[str, Any]]:
    """Return the product's own records, oldest first."""
    address = f"file:{parlance.data / 'parlance.sqlite3'}?mode=ro"
    columns = ("direction", "outcome", "seconds", "gibibytes")
    with contextlib.closing(sqlite3.connect(address, uri=True)) as database:
        rows = database.execute(f"SELECT {', '.join(columns)} FROM meetings_swap ORDER BY created_at").fetchall()  # noqa: S608
    return [dict(zip(columns, row, strict=True)) for row in rows]


def figures(pause: Pause) -> dict[str, float]:
    """Return the figures, rounded for display."""
    return {name: rounded(value) for name, value in (*asdict(pause).items(), ("catch_up_rate", pause.catch_up_rate))}


def rounded(value: float) -> float:
    return round(value, 2)
