"""Apply the optimization flags to a component's network. This is the only place that does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from inference.models.device import CPU, Device
from inference.models.optimization.compiling import Compiled
from inference.models.optimization.flags import Component, FlagChoices, Tuning, tune

if TYPE_CHECKING:
    import torch


class Execution:
    """Runs the network of one component. Every forward pass in production is inside a `step`."""

    def __init__(self, component: Component, device: Device = CPU, *, wishes: FlagChoices | None = None) -> None:
        """Raises UnknownChoice."""
        self.tuning: Tuning = tune(component, device.kind, wishes or {})
        self._device = device

    @property
    def torch_device(self) -> torch.device:
        """The device that the network should be on."""
        return torch_device(self._device)

    @property
    def dtype(self) -> torch.dtype:
        """Data type of the weights."""
        import torch

        dtype: torch.dtype = getattr(torch, self.tuning.precision)
        return dtype

    def prepare(self, network: torch.nn.Module) -> Callable[..., Any]:
        """Return `network` in evaluation mode, laid out as the flags say. It cannot be moved once compiled."""
        import torch

        if self._device.kind == "cuda":
            _set_backends(self.tuning)
        network.eval().requires_grad_(False)
        if self.tuning.channels_last:
            # Only affects 4-D tensors. Later layers with fewer dimensions receive the output of `flatten`, which is
            # contiguous.
            network.to(memory_format=torch.channels_last)
        return Compiled(network) if self.tuning.compile else network

    @contextmanager
    def step(self) -> Iterator[None]:
        """Enter inference mode and autocast for the current thread, as the flags say."""
        import torch

        dtype = getattr(torch, self.tuning.autocast or "bfloat16")
        with (
            torch.inference_mode(mode=self.tuning.inference_mode),
            torch.autocast(device_type=self._device.kind, dtype=dtype, enabled=bool(self.tuning.autocast)),
        ):
            yield
        if self.tuning.debug_empty_cache:
            torch.cuda.empty_cache()


def torch_device(device: Device) -> torch.device:
    """Return `device` as a torch device."""
    import torch

    return torch.device("cpu") if device.kind == "cpu" else torch.device(device.kind, device.index)


def _set_backends(tuning: Tuning) -> None:
    """Apply process-wide settings; torch has only one set of these."""
    import torch

    precision = "tf32" if tuning.tf32 else "ieee"
    torch.backends.cuda.matmul.fp32_precision = precision
    torch.backends.cudnn.conv.fp32_precision = precision
    torch.backends.cudnn.rnn.fp32_precision = precision
    if tuning.cudnn_benchmark:
        torch.backends.cudnn.benchmark = True
