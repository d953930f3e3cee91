"""What befalls the product: a process stopped, a broker killed and slow to load, a database locked."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import psutil

from tests.live import RunningParlance

LOCK_WITHIN_S = 60.0
LOG_BYTES = 200_000_000
"""What a broker has to read before it answers again: seconds of it, on any machine."""

A_COMMAND = b"*3\r\n$3\r\nSET\r\n$4\r\nfill\r\n$1\r\n0\r\n"


@asynccontextmanager
async def stopped(process: psutil.Process, seconds: float) -> AsyncIterator[None]:
    """`SIGSTOP` for so long at least, and for as long as the block takes."""
    process.suspend()
    until = time.monotonic() + seconds
    try:
        yield
        await asyncio.sleep(until - time.monotonic())
    finally:
        process.resume()


@contextmanager
def killed_broker(parlance: RunningParlance) -> Iterator[Path]:
    """The broker is dead, and nobody starts it again within the block; gives its append-only file."""
    parlance.supervisor.suspend()
    broker = parlance.process("valkey-server")
    broker.kill()
    try:
        (log,) = (parlance.data / "broker" / "appendonlydir").glob("*.incr.aof")
        yield log
    finally:
        parlance.supervisor.resume()


def lengthen(log: Path) -> None:
    """Append commands that change nothing else."""
    block = A_COMMAND * 10_000
    with log.open("ab") as file:
        for _ in range(LOG_BYTES // len(block)):
            file.write(block)


@contextmanager
def locked_database(parlance: RunningParlance) -> Iterator[None]:
    """Another program holds SQLite's lock: nobody else can write."""
    path = parlance.data / "parlance.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None, timeout=LOCK_WITHIN_S)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")
