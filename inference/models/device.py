"""Selection of the device that the models run on."""

from __future__ import annotations

import ctypes
import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import structlog

log = structlog.get_logger(__name__)

CUBLAS = ("libcublasLt.so.12", "libcublas.so.12")
"""What the pinned CTranslate2 opens at its first product on a GPU. Without it the worker would end there, again and
again. Its wheels need no cuDNN."""

REMEDY = "Install the extra `gpu` (nvidia-cublas-cu12), or set PARLANCE_DEVICE=cpu."


class NoSuchDevice(ValueError):
    """The requested device does not exist, or cannot be used; the message is a sentence with the remedy."""


@dataclass(frozen=True, slots=True)
class Device:
    kind: Literal["cpu", "cuda"]
    index: int = 0

    @property
    def compute_type(self) -> str:
        """CTranslate2 compute type: int8 halves the time on a CPU, float16 is accurate enough on a GPU."""
        return "int8" if self.kind == "cpu" else "float16"


CPU = Device("cpu")


def choose_device(name: str) -> Device:
    """Return the device for `auto`, `cpu`, `cuda` or `cuda:n`. `auto` prefers a GPU that the libraries can use.

    Raises:
        NoSuchDevice: there is no such GPU on this machine, or its libraries cannot be loaded.
    """
    if name == "cpu":
        return Device("cpu")
    import ctranslate2

    count = ctranslate2.get_cuda_device_count()
    if name == "auto" and not count:
        return Device("cpu")
    index = int(name.partition(":")[2] or 0)
    if index >= count:
        raise NoSuchDevice(f"PARLANCE_DEVICE is {name}, but {count} GPUs can be used here.")
    problem = gpu_problem()
    if not problem:
        return Device("cuda", index)
    if name != "auto":
        raise NoSuchDevice(f"PARLANCE_DEVICE is {name}, but {problem} {REMEDY}")
    _warn(problem)
    return CPU


@cache
def gpu_problem() -> str:
    """Return why a GPU that is there cannot be used, as the end of a sentence; empty: it can."""
    for library in CUBLAS:
        try:
            # Loaded once under its own name, it is found by CTranslate2 wherever it lies.
            ctypes.CDLL(str(_packaged(library) or library), mode=ctypes.RTLD_GLOBAL)
        except OSError:
            return f"{library} of CUDA 12 cannot be loaded."
    return "" if _is_torch_for_gpus() else "PyTorch is installed without CUDA."


def _packaged(library: str) -> Path | None:
    """Return where a package of NVIDIA's has put the library; None: nowhere."""
    spec = importlib.util.find_spec("nvidia")
    folders = (spec.submodule_search_locations or []) if spec else []
    found = (Path(folder) / "cublas" / "lib" / library for folder in folders)
    return next((path for path in found if path.exists()), None)


def _is_torch_for_gpus() -> bool:
    """Look for its library, because importing PyTorch takes seconds."""
    spec = importlib.util.find_spec("torch")
    return bool(spec and spec.origin and (Path(spec.origin).parent / "lib" / "libtorch_cuda.so").exists())


@cache
def _warn(problem: str) -> None:
    """Log it once: many modules ask for the device."""
    log.warning("gpu_not_used", reason=f"Models run on the CPU: there is a GPU, but {problem} {REMEDY}")
