"""Durability: cost and guarantees of acknowledging a frame, by the broker's fsync policy.

Frames are appended by the product's own `AudioLog`, from as many hosts as the rate requires at ten frames a second
each, on a separate Valkey on the data folder's disk. `everysec+WAITAOF` adds `WAITAOF 1 0 0` after each append, which
replies once the frame is on disk. The kill is SIGKILL during 2,000 appends. A frame is lost if it was acknowledged but
missing after the restart. A kill preserves the page cache; a power loss only preserves what was fsynced, which `strace`
counts.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import redis.asyncio
from redis.exceptions import RedisError

from benchmarks.statistics import percentile
from benchmarks.valkey import Fsync, MeasuredValkey, measured_valkey
from meetings.broker.audio_log import AppendOutcome, AudioLog, audio_key

FRAME = bytes(3_200)
FRAMES_PER_S_AND_HOST = 10
SECONDS = 8
RATES = (10, 100, 1_000)
KILLS = 5
KILL_HOSTS = 200
KILL_FRAMES = 2_000
TRACED_FRAMES = 50

Append = Callable[[AudioLog, redis.asyncio.Redis, str, int], Awaitable[None]]


async def append(log: AudioLog, client: redis.asyncio.Redis, meeting: str, frame: int) -> None:
    appended = await log.append(meeting, "page", frame, FRAME)
    assert appended.outcome is AppendOutcome.STORED, appended


async def append_and_wait(log: AudioLog, client: redis.asyncio.Redis, meeting: str, frame: int) -> None:
    await append(log, client, meeting, frame)
    await client.execute_command("WAITAOF", 1, 0, 0)


POLICIES: dict[str, tuple[Fsync, Append]] = {
    "always": ("always", append),
    "everysec": ("everysec", append),
    "everysec+WAITAOF": ("everysec", append_and_wait),
}


def run() -> dict[str, Any]:
    """Measure latencies, kills and fsyncs for each policy."""
    return {name: measure(fsync, step) for name, (fsync, step) in POLICIES.items()}


def measure(fsync: Fsync, step: Append) -> dict[str, Any]:
    """Measure one policy: acknowledgement latency by rate, frames lost by kills, fsyncs per frame."""
    figures: dict[str, Any] = {}
    with measured_valkey(fsync) as server:
        for rate in RATES:
            figures[f"frames_per_s_{rate}"] = asyncio.run(latency(server, step, rate))
        figures["fsync"] = asyncio.run(count_fsyncs(server, step))
    kills = [asyncio.run(kill(fsync, step)) for _ in range(KILLS)]
    figures["kill_9"] = {name: sum(one[name] for one in kills) for name in ("acknowledged", "lost")}
    return figures


async def latency(server: MeasuredValkey, step: Append, rate: int) -> dict[str, Any]:
    """Measure milliseconds from append to reply at `rate` frames a second."""
    waits: list[float] = []
    hosts = rate // FRAMES_PER_S_AND_HOST
    started = time.monotonic()

    async def play(host: int) -> None:
        async with server.connect() as client:
            log, meeting = AudioLog(client), f"rate{rate}-{host}"
            await log.claim(meeting, "page", takeover=False, cursor=0)
            for frame in range(SECONDS * FRAMES_PER_S_AND_HOST):
                due = started + (frame + host / hosts) / FRAMES_PER_S_AND_HOST
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                before = time.monotonic()
                await step(log, client, meeting, frame)
                waits.append((time.monotonic() - before) * 1000)

    await asyncio.gather(*(play(host) for host in range(hosts)))
    return {"p50_ms": round(percentile(waits, 50), 2), "p99_ms": round(percentile(waits, 99), 2), "frames": len(waits)}


async def kill(fsync: Fsync, step: Append) -> dict[str, int]:
    """Send SIGKILL when half of the frames are acknowledged; count acknowledged frames that were lost."""
    with measured_valkey(fsync) as server:
        acked = dict.fromkeys((f"kill-{host}" for host in range(KILL_HOSTS)), 0)

        async def play(meeting: str) -> None:
            async with server.connect() as client:
                log = AudioLog(client)
                await log.claim(meeting, "page", takeover=False, cursor=0)
                for frame in range(KILL_FRAMES // KILL_HOSTS):
                    await step(log, client, meeting, frame)
                    acked[meeting] += 1
                    if sum(acked.values()) == KILL_FRAMES // 2:
                        os.kill(server.pid, signal.SIGKILL)

        async def play_until_killed(meeting: str) -> None:
            with suppress(RedisError, OSError):
                await play(meeting)

        await asyncio.gather(*(play_until_killed(meeting) for meeting in acked))
        server.restart_after_kill()
        async with server.connect() as client:
            stored = {meeting: int(await client.xlen(audio_key(meeting))) for meeting in acked}
    lost = sum(max(0, acked[meeting] - stored[meeting]) for meeting in acked)
    return {"acknowledged": sum(acked.values()), "lost": lost}


async def count_fsyncs(server: MeasuredValkey, step: Append) -> dict[str, int] | str:
    """Count fsyncs while frames are appended one at a time; fewer than frames means replies did not wait."""
    if shutil.which("strace") is None:
        return "unmeasured: strace is not installed"
    async with server.connect() as client:
        log = AudioLog(client)
        await log.claim("traced", "page", takeover=False, cursor=0)
        with traced_fsyncs(server.pid) as calls:
            for frame in range(TRACED_FRAMES):
                await step(log, client, "traced", frame)
    return {"frames": TRACED_FRAMES, "fsyncs": len(calls)}


@contextmanager
def traced_fsyncs(pid: int) -> Iterator[list[str]]:
    """Yield a list that holds, once the block has ended, the fsync calls of all threads of the process."""
    calls: list[str] = []
    with TemporaryDirectory() as folder:
        out = Path(folder) / "trace"
        command = ["strace", "-f", "-e", "trace=fsync,fdatasync", "-p", str(pid), "-o", str(out)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
            assert tracer.stderr is not None
            tracer.stderr.readline()  # "Process … attached"
            yield calls
            tracer.terminate()
        calls += [line for line in out.read_text().splitlines() if "sync(" in line]
