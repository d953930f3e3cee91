"""Account for the device's memory: claims by model, memory actually free, and the return of freed memory."""

from __future__ import annotations

import ctypes
import gc
import sys
from functools import cache
from pathlib import Path

from inference.models.device import Device
from inference.models.residency.plan import DoesNotFit, gib

MEMORY_INFO = Path("/proc/meminfo")
SHARE = {"cpu": 0.9, "cuda": 0.95}
"""Share of the memory free at start; the rest is for contexts, other processes and fragmentation.

A GPU is assumed to serve only these models. On 16 GB this leaves enough for Qwen2.5-7B in 16 bits.
"""


class DeviceMemory:
    """Keeps the total size of the awake models within a budget. Each pool has its own instance."""

    def __init__(self, device: Device, budget: int) -> None:
        """`budget` is in bytes."""
        self.device = device
        self.budget = budget
        self._claims: dict[str, int] = {}

    @property
    def claimed(self) -> int:
        """Bytes claimed by awake models."""
        return sum(self._claims.values())

    def claim(self, model: str, size: int) -> None:
        """Reserve `size` bytes for `model`, replacing its earlier claim.

        Raises:
            DoesNotFit: the budget or the device has less available; nothing changes.
        """
        others = self.claimed - self._claims.get(model, 0)
        if others + size > self.budget:
            left = gib(self.budget - others)
            raise DoesNotFit(f"{model} needs {gib(size)} and {left} of the budget of {gib(self.budget)} are left.")
        free = self.free()
        more = size - self._claims.get(model, 0)
        if free is not None and more > free:
            raise DoesNotFit(f"{model} needs {gib(more)} and the device has {gib(free)} free.")
        self._claims[model] = size

    def give_back(self, model: str) -> None:
        """Release the model's claim."""
        self._claims.pop(model, None)

    def free(self) -> int | None:
        """Return the bytes actually free on the device, or None if the system does not report them."""
        return free_memory(self.device)

    def release(self) -> None:
        """Return freed memory to the system. Call it only on swaps; elsewhere it costs more than it gains."""
        release_memory(self.device)

    def settle(self) -> None:
        """Exclude long-lived objects from later garbage collections. Call it after loads.

        With torch and transformers imported, a collection visits half a million objects and takes a third of a second.
        With these frozen it visits a few thousand. Reference counting still frees them.
        """
        gc.collect()
        gc.freeze()

    def unsettle(self) -> None:
        """Make reference cycles collectable again. Call it before models are discarded for good."""
        gc.unfreeze()


def free_memory(device: Device) -> int | None:
    """Return the free bytes on `device`; on a CPU, the memory available without swapping. None if unknown."""
    if device.kind == "cuda":
        import torch

        return int(torch.cuda.mem_get_info(device.index)[0])
    lines = MEMORY_INFO.read_text(encoding="ascii").splitlines() if MEMORY_INFO.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def default_budget(device: Device) -> int:
    """Return the bytes that the models may use by default: most of the memory that is free now."""
    free = free_memory(device)
    return int(SHARE[device.kind] * free) if free is not None else sys.maxsize


def release_memory(device: Device) -> None:
    """Collect garbage, which may hold tensors, and empty the allocators' caches."""
    gc.collect()
    if device.kind == "cuda":
        import torch

        torch.cuda.synchronize(device.index)
        torch.cuda.empty_cache()
    _trim_heap()


def _trim_heap() -> None:
    """Return freed heap memory to the system. glibc otherwise keeps any freed memory between two live blocks."""
    trim = getattr(_c_library(), "malloc_trim", None)
    if trim is not None:
        trim(0)


@cache
def _c_library() -> ctypes.CDLL:
    return ctypes.CDLL(None)
