"""Fan-out: how soon a stored caption reaches hundreds of viewers of one web process, and what that costs.

The real product runs; captions are stored and announced as the worker does it, without models. Delivery is from the
ring of the bell to the last byte at the viewer's socket, in one client process on the same machine. CPU is that of the
web process, everything included (reading the database, encoding, confirmations). `group_send` is the same with
Channels' own way, in the same run.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psutil

from benchmarks.report import REPOSITORY
from benchmarks.statistics import percentile
from benchmarks.viewers import BenchmarkViewer, join, read
from tests.live import MeetingLinks, RunningParlance, free_port, running_parlance
from tests.rawsocket import TEXT, client_frame

SECONDS = 12
CAPTION_CHARACTERS = 80
GROUP_SEND_CHARACTERS = 250
"""So that both messages have about 330 bytes."""

GRACE_S = 30.0


def run() -> dict[str, Any]:
    """300 viewers with 10 events a second, the same through `group_send`, then 1,000 viewers with 4."""
    with running_parlance() as parlance:
        measure_product(parlance, viewers=20, rate=10)  # warm
        ours = measure_product(parlance, viewers=300, rate=10)
        many = measure_product(parlance, viewers=1_000, rate=4)
    baseline = measure_group_send(viewers=300, rate=10)
    return {
        "viewers_300": ours,
        "viewers_1000": many,
        "group_send_300": baseline,
        "cpu_ratio": round(ours["cpu_us_per_delivery"] / baseline["cpu_us_per_delivery"], 3),
        "p99_ratio": round(ours["p99_ms"] / baseline["p99_ms"], 3),
    }


def measure_product(parlance: RunningParlance, *, viewers: int, rate: int) -> dict[str, Any]:
    """One meeting, `viewers` sockets, `rate` captions a second for SECONDS."""
    links, web = parlance.create_meeting(), parlance.process("web")
    return asyncio.run(_measure_product(parlance, links, web, viewers, rate))


async def _measure_product(
    parlance: RunningParlance, links: MeetingLinks, web: psutil.Process, viewers: int, rate: int
) -> dict[str, Any]:
    resident = web.memory_info().rss
    audience = await join(links.viewer(), viewers)
    joined = web.memory_info().rss
    command = [sys.executable, "-m", "tests.feeder", links.id, "--count", str(rate * SECONDS), "--rate", str(rate)]
    feeder = await asyncio.create_subprocess_exec(
        *command, cwd=REPOSITORY, env=parlance.environment, stdout=asyncio.subprocess.PIPE
    )
    before = cpu_s(web)
    await read(audience, rate * SECONDS, timeout_s=SECONDS + GRACE_S)
    spent = cpu_s(web) - before
    out, _ = await feeder.communicate()
    rung = {int(seq): at for seq, at in json.loads(out).items()}
    figures = delivery(audience, len(rung), spent, sent_at=lambda arrival: rung[arrival.seq])
    figures["rss_kb_per_viewer"] = round((joined - resident) / viewers / 1000, 1)
    figures["rss_kb_per_viewer_after"] = round((web.memory_info().rss - resident) / viewers / 1000, 1)
    close(audience)
    return {"viewers": viewers, "events_per_s": rate, **figures}


def measure_group_send(*, viewers: int, rate: int) -> dict[str, Any]:
    """The same number of viewers and events through Channels' in-memory layer."""
    with group_send_server(rate=rate, count=rate * SECONDS) as (url, server):
        return asyncio.run(_measure_group_send(url, server, viewers, rate))


async def _measure_group_send(url: str, server: psutil.Process, viewers: int, rate: int) -> dict[str, Any]:
    audience = await join(url, viewers)
    before = cpu_s(server)
    audience[0].send(client_frame(b"start", TEXT))
    await read(audience, rate * SECONDS, timeout_s=SECONDS + GRACE_S)
    spent = cpu_s(server) - before
    figures = delivery(audience, rate * SECONDS, spent, sent_at=lambda arrival: arrival.message["sent"])
    close(audience)
    return {"viewers": viewers, "events_per_s": rate, **figures}


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
    """How long each event took to each viewer (ms), what is missing, and CPU (µs) for each delivery."""
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
