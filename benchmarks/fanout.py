"""Fan-out: how soon a stored caption reaches hundreds of viewers of one web process, and the cost.

The real product runs, once under each server, in parallel. Captions are stored and announced as by the worker, without
models. Delivery is measured from the announcement to the last byte at the viewer's socket, in one client process on the
same machine. CPU is the web process's total (reading the database, encoding, confirmations). The servers take turns,
the second one first in every other turn. `group_send` is the same load through Channels' own mechanism under unmodified
Daphne, in the same run.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, get_args

import psutil

from benchmarks.report import REPOSITORY
from benchmarks.statistics import percentile
from benchmarks.viewers import BenchmarkViewer, join, read
from meetings.environment import WebServer
from tests.live import MeetingLinks, RunningParlance, free_port, running_parlance
from tests.rawsocket import TEXT, client_frame

SECONDS = 12
GROUP_SEND_CHARACTERS = 250
"""Makes both messages about 330 bytes."""

GRACE_S = 30.0


@dataclass(frozen=True, slots=True)
class Load:
    """Number of viewers and rate of captions."""

    viewers: int
    rate: int
    """Captions per second."""


SERVERS = get_args(WebServer)
TURNS = {"viewers_300": Load(300, 10), "viewers_300_again": Load(300, 10), "viewers_1000": Load(1_000, 4)}
WARMING = Load(20, 10)


def run(*, quick: bool = False) -> dict[str, Any]:
    """Measure 300 viewers with 10 events a second, twice, and 1,000 with 4, under each server; then `group_send`.

    `quick` runs 20 viewers once as a smoke test.
    """
    turns = {"viewers_20": WARMING} if quick else {"warming": WARMING, **TURNS}
    found: dict[str, dict[str, Any]] = {server: {} for server in SERVERS}
    with (
        running_parlance(environment={"PARLANCE_WEB_SERVER": SERVERS[0]}) as first,
        running_parlance(environment={"PARLANCE_WEB_SERVER": SERVERS[1]}) as second,
    ):
        products = list(zip(SERVERS, (first, second), strict=True))
        for name, load in turns.items():
            for server, parlance in products:
                found[server][name] = measure_product(parlance, load)
            products.reverse()
    if quick:
        return found
    return {**found, "group_send_300": measure_group_send(TURNS["viewers_300"]), **ratios(found)}


def ratios(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the ratio of the second server's figures to the first's, by turn."""
    first, second = (found[server] for server in SERVERS)
    return {
        f"{SERVERS[1]}_to_{SERVERS[0]}": {
            turn: {
                figure: round(second[turn][figure] / first[turn][figure], 3)
                for figure in ("p50_ms", "p99_ms", "cpu_us_per_delivery")
            }
            for turn in TURNS
        }
    }


def measure_product(parlance: RunningParlance, load: Load) -> dict[str, Any]:
    """Measure one meeting under `load` for SECONDS."""
    links, web = parlance.create_meeting(), parlance.process("web")
    return asyncio.run(_measure_product(parlance, links, web, load))


async def _measure_product(
    parlance: RunningParlance, links: MeetingLinks, web: psutil.Process, load: Load
) -> dict[str, Any]:
    count = load.rate * SECONDS
    resident = web.memory_info().rss
    audience = await join(links.viewer(), load.viewers)
    joined = web.memory_info().rss
    command = [sys.executable, "-m", "tests.feeder", links.id, "--count", str(count), "--rate", str(load.rate)]
    feeder = await asyncio.create_subprocess_exec(
        *command, cwd=REPOSITORY, env=parlance.environment, stdout=asyncio.subprocess.PIPE
    )
    before = cpu_s(web)
    await read(audience, count, timeout_s=SECONDS + GRACE_S)
    spent = cpu_s(web) - before
    out, _ = await feeder.communicate()
    rung = {int(seq): at for seq, at in json.loads(out).items()}
    figures = delivery(audience, len(rung), spent, sent_at=lambda arrival: rung[arrival.seq])
    figures["rss_kb_per_viewer"] = round((joined - resident) / load.viewers / 1000, 1)
    figures["rss_kb_per_viewer_after"] = round((web.memory_info().rss - resident) / load.viewers / 1000, 1)
    close(audience)
    return {"viewers": load.viewers, "events_per_s": load.rate, **figures}


def measure_group_send(load: Load) -> dict[str, Any]:
    """Measure the same load through Channels' in-memory layer."""
    with group_send_server(rate=load.rate, count=load.rate * SECONDS) as (url, server):
        return asyncio.run(_measure_group_send(url, server, load))


async def _measure_group_send(url: str, server: psutil.Process, load: Load) -> dict[str, Any]:
    count = load.rate * SECONDS
    audience = await join(url, load.viewers)
    before = cpu_s(server)
    audience[0].send(client_frame(b"start", TEXT))
    await read(audience, count, timeout_s=SECONDS + GRACE_S)
    spent = cpu_s(server) - before
    figures = delivery(audience, count, spent, sent_at=lambda arrival: arrival.message["sent"])
    close(audience)
    return {"viewers": load.viewers, "events_per_s": load.rate, **figures}


@contextmanager
def group_send_server(*, rate: int, count: int) -> Iterator[tuple[str, psutil.Process]]:
    port = free_port()
    numbers = map(str, (port, rate, count, GROUP_SEND_CHARACTERS))
    command = [sys.executable, "-m", "benchmarks.group_send", *numbers]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield f"ws://127.0.0.1:{port}/?", psutil.Process(process.pid)
        finally:
            process.terminate()


def delivery(
    audience: Sequence[BenchmarkViewer], events: int, cpu: float, *, sent_at: Callable[[Any], float]
) -> dict[str, Any]:
    """Return delivery times in ms, missing events, and CPU in µs per delivery."""
    waits = sorted((arrival.at - sent_at(arrival)) * 1000 for viewer in audience for arrival in viewer.arrivals)
    missing = sum(events - len({arrival.seq for arrival in viewer.arrivals}) for viewer in audience)
    in_order = all(
        [arrival.seq for arrival in viewer.arrivals] == sorted({arrival.seq for arrival in viewer.arrivals})
        for viewer in audience
    )
    return {
        "deliveries": len(waits),
        "missing": missing,
        "in_order_and_once": in_order,
        "p50_ms": round(percentile(waits, 50), 2),
        "p99_ms": round(percentile(waits, 99), 2),
        "max_ms": round(waits[-1], 2),
        "cpu_us_per_delivery": round(cpu / len(waits) * 1e6, 1),
    }


def close(audience: Sequence[BenchmarkViewer]) -> None:
    for viewer in audience:
        viewer.close()


def cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
