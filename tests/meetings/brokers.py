"""Brokers in trouble, for tests: held by a signal, slow to load."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import redis.asyncio

from meetings.broker.audio_log import audio_key, state_key
from meetings.broker.embedded import EmbeddedBroker

LOOK_S = 0.01
LOG = "appendonly.aof.1.incr.aof"


@contextmanager
def stopped(pid: int | None) -> Iterator[None]:
    """The process, a server or its child, gets no processor meanwhile: it neither answers nor refuses."""
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    while psutil.Process(pid).status() != psutil.STATUS_STOPPED:
        time.sleep(LOOK_S)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


class SlowlyLoading(EmbeddedBroker):
    """A real server that takes its time over each command of its log."""

    def __init__(self, folder: Path, socket: Path, *, delay_us: int) -> None:
        super().__init__(folder, socket)
        self._delay_us = delay_us

    def _command(self) -> list[str]:
        return [*super()._command(), "--key-load-delay", str(self._delay_us)]


def write_log(folder: Path, *, keys: int) -> None:
    """An append-only file as a server leaves it that was given so many keys."""
    logs = folder / "appendonlydir"
    logs.mkdir(parents=True)
    (logs / "appendonly.aof.manifest").write_text(f"file {LOG} seq 1 type i\n")
    with (logs / LOG).open("wb") as log:
        log.write(b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n")
        for number in range(keys):
            key = b"k%d" % number
            log.write(b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$1\r\nv\r\n" % (len(key), key))


async def cut_log(broker: redis.asyncio.Redis, meeting_id: str, *, frames: int, then: Sequence[bytes] = ()) -> None:
    """Leave the log as a broker has it that comes back with so many frames of 100 ms, as after a failover.

    `then` is said to it at once, before anybody reads from it, and breaks the connections of all who do.
    """
    kept = [row for row in await broker.xrange(audio_key(meeting_id)) if int(row[0].partition(b"-")[0]) <= frames]
    added = [(b"%d-0" % number, {b"s": 1600 * (number - 1), b"p": pcm}) for number, pcm in enumerate(then, frames + 1)]
    reached = frames + len(then)
    async with broker.pipeline(transaction=True) as pipeline:
        pipeline.delete(audio_key(meeting_id))
        for entry_id, fields in (*kept, *added):
            pipeline.xadd(audio_key(meeting_id), fields, id=entry_id)
        pipeline.hset(state_key(meeting_id), mapping={"next_frame": reached, "next_sample": reached * 1600})
        if then:
            pipeline.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await pipeline.execute()
