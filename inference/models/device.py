"""Selection of the device that the models run on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


class NoSuchDevice(ValueError):
    """The requested device does not exist."""


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
    """Return the device for `auto`, `cpu`, `cuda` or `cuda:n`. `auto` prefers a GPU that CTranslate2 can use.

    Raises:
        NoSuchDevice: there is no such GPU on this machine.
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
    return Device("cuda", index)
