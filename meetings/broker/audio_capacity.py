"""Check for capacity before a frame is accepted, while everything else still works.

A broker without memory refuses leases too, and one without disk space exits. A host that is refused keeps its audio and
tries again.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path
from typing import Any

import redis.asyncio

CAPACITY_TTL_S = 2.0
"""How long an answer is cached. At four times real time a host sends 0.26 MB meanwhile."""

MEMORY_SHARE = 0.9
"""Share of the broker's `maxmemory` that audio may fill. The rest is for leases, hosts and hints."""

MAX_MEMORY = 8 << 30
"""Bytes that a broker without `maxmemory` may use before more audio is refused."""

LOG_DISK_RESERVE = 256 << 20
"""Bytes kept free on the embedded broker's disk; on a small disk a twentieth of it."""


class AudioCapacity:
    """The broker's capacity as seen by one process."""

    def __init__(self, broker: redis.asyncio.Redis, folder: Path | None) -> None:
        """`folder`: where the broker writes; None if it is on another machine."""
        self._broker = broker
        self._folder = folder
        self._looked_at = float("-inf")
        self._is_left = True
        self._looking = asyncio.Lock()

    async def is_left(self) -> bool:
        """Return whether more audio may be accepted."""
        async with self._looking:
            if time.monotonic() - self._looked_at > CAPACITY_TTL_S:
                self._is_left = await self._has_memory() and await asyncio.to_thread(self._has_disk)
                self._looked_at = time.monotonic()
        return self._is_left

    async def _has_memory(self) -> bool:
        memory: dict[str, Any] = await self._broker.info("memory")
        most = int(memory.get("maxmemory") or 0)
        return int(memory["used_memory"]) < (most * MEMORY_SHARE if most else MAX_MEMORY)

    def _has_disk(self) -> bool:
        if self._folder is None:
            return True
        try:
            disk = shutil.disk_usage(self._folder)
        except FileNotFoundError:  # a broker that was not started here yet
            return True
        return disk.free > min(LOG_DISK_RESERVE, disk.total // 20)
