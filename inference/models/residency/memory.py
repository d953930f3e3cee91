"""The device's memory: what is promised to which model, what is really free, and how freed memory is handed back."""

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
"""Of the memory that is free at the start; the rest is for contexts, other processes and fragments.

A GPU is the models' alone: of 16 GB it leaves what Qwen2.5-7B needs in 16 bits.
"""


class DeviceMemory:
    """Keeps the sum of what is awake within a budget. Belongs to one pool."""

    def __init__(self, device: Device, budget: int) -> None:
        """`budget` in bytes."""
        self.device = device
        self.budget = budget
        self._claims: dict[str, int] = {}

    @property
    def claimed(self) -> int:
        """Bytes of what is awake."""
        return sum(self._claims.values())

    def claim(self, model: str, size: int) -> None:
        """Promises `size` bytes to `model`, in place of what it had.

        Raises:
            DoesNotFit: the budget, or the device, has less; nothing changes.
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
        """Ends the promise."""
        self._claims.pop(model, None)

    def free(self) -> int | None:
        """Bytes that the device really has free; None where the system does not say."""
        return free_memory(self.device)

    def release(self) -> None:
        """Hands freed memory back; only at a switch of models, for it costs more than it brings anywhere else."""
        release_memory(self.device)

    def settle(self) -> None:
        """After loads: objects that are here to stay are left out of later collections.

        With torch and transformers imported a collection looks at half a million objects, a third of a second each
        time; with these set aside, at a few thousand. Reference counts still free them.
        """
        gc.collect()
        gc.freeze()

    def unsettle(self) -> None:
        """Before models are let go of for good: circles among their objects can be found again."""
        gc.unfreeze()


def free_memory(device: Device) -> int | None:
    """Bytes free on `device`; on a CPU, what the kernel could give without swapping. None where nobody says."""
    if device.kind == "cuda":
        import torch

        return int(torch.cuda.mem_get_info(device.index)[0])
    lines = MEMORY_INFO.read_text(encoding="ascii").splitlines() if MEMORY_INFO.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def default_budget(device: Device) -> int:
    """Bytes that the models may use unless the operator says: most of what is free now."""
    free = free_memory(device)
    return int(SHARE[device.kind] * free) if free is not None else sys.maxsize


def release_memory(device: Device) -> None:
    """Collects garbage, which may hold tensors, and empties the allocators' caches."""
    gc.collect()
    if device.kind == "cuda":
        import torch

        torch.cuda.synchronize(device.index)
        torch.cuda.empty_cache()
    _trim_heap()


def _trim_heap() -> None:
    """glibc keeps freed memory of any size between two blocks that live; here it goes back to the system."""
    trim = getattr(_c_library(), "malloc_trim", None)
    if trim is not None:
        trim(0)


@cache
def _c_library() -> ctypes.CDLL:
    return ctypes.CDLL(None)
