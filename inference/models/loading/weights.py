"""Map weights from their file and assign them to a network that was built without any."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import torch

N = TypeVar("N")

DRAWING = frozenset({"uniform_", "normal_", "kaiming_uniform_"})
"""Initializers of tensors, torch.nn.init and transformers' replacements: a mode only sees the outermost call."""


def without_initialisation(build: Callable[[], N]) -> N:
    """Return the network that `build` makes, without random initialization, so that its pages are never touched.

    Buffers are computed as usual. Only affects this thread, unlike patching torch's modules.
    """
    import torch
    from torch.overrides import TorchFunctionMode

    class Skipping(TorchFunctionMode):
        def __torch_function__(
            self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
        ) -> Any:
            named = dict(kwargs or {})
            if getattr(function, "__name__", "") in DRAWING:
                return args[0] if args else named["tensor"]
            return function(*args, **named)

    with Skipping(), torch.inference_mode(mode=False):
        return build()


def map_tensors(path: Path, *, dtype: torch.dtype | None = None) -> dict[str, torch.Tensor]:
    """Return the tensors of a safetensors file, mapped copy-on-write; those of another dtype are converted.

    Raises SafetensorError, FileNotFoundError.
    """
    from safetensors.torch import load_file

    return convert(load_file(path), dtype)


def convert(tensors: Mapping[str, torch.Tensor], dtype: torch.dtype | None) -> dict[str, torch.Tensor]:
    """Convert floating-point tensors to `dtype`, one at a time. Integers and tensors of that dtype stay as they are."""
    return {
        name: tensor.to(dtype) if dtype is not None and tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
    }


def assign(network: torch.nn.Module, tensors: Mapping[str, torch.Tensor], tied: Mapping[str, str]) -> None:
    """Replace the network's own tensors by `tensors`. `tied` maps the name of a shared tensor to the stored one.

    Raises RuntimeError if names or shapes do not match the network.
    """
    import torch

    whole = {**tensors, **{alias: tensors[name] for alias, name in tied.items()}}
    with torch.inference_mode(mode=False):
        network.load_state_dict(whole, assign=True)
        for alias, name in tied.items():
            owner, _, attribute = alias.rpartition(".")
            setattr(network.get_submodule(owner), attribute, network.get_parameter(name))


def untie(network: torch.nn.Module) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Return the network's state without duplicates, contiguous, and a mapping from each duplicate to the name kept."""
    kept: dict[int, str] = {}
    tensors: dict[str, torch.Tensor] = {}
    tied: dict[str, str] = {}
    for name, tensor in network.state_dict(keep_vars=True).items():
        first = kept.setdefault(id(tensor), name)
        if first == name:
            tensors[name] = tensor.detach().contiguous()
        else:
            tied[name] = first
    return tensors, tied
