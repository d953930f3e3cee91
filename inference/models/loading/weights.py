"""Weights that stay in their file: mapped into memory, and given to a network that was built without any."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import torch

N = TypeVar("N")

DRAWING = frozenset({"uniform_", "normal_", "kaiming_uniform_"})
"""Of tensors, of torch.nn.init, and what transformers puts in their place: a mode sees the outermost call alone."""


def without_initialisation(build: Callable[[], N]) -> N:
    """What `build` makes, with weights that were never drawn at random, so that their pages were never touched.

    Buffers are computed as ever. Holds for this thread alone, unlike a patch of torch's modules.
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
    """Tensors of a safetensors file, pages of it until they are written to; those of another type are converted.

    Raises SafetensorError, FileNotFoundError.
    """
    from safetensors.torch import load_file

    return convert(load_file(path), dtype)


def convert(tensors: Mapping[str, torch.Tensor], dtype: torch.dtype | None) -> dict[str, torch.Tensor]:
    """Fractions as `dtype`, one after the other; those that are of it already, and whole numbers, as they are."""
    return {
        name: tensor.to(dtype) if dtype is not None and tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
    }


def assign(network: torch.nn.Module, tensors: Mapping[str, torch.Tensor], tied: Mapping[str, str]) -> None:
    """Puts `tensors` in the places of the network's own; `tied` names those that are another one's, by that one.

    Raises RuntimeError where names or shapes are not the network's.
    """
    import torch

    whole = {**tensors, **{alias: tensors[name] for alias, name in tied.items()}}
    with torch.inference_mode(mode=False):
        network.load_state_dict(whole, assign=True)
        for alias, name in tied.items():
            owner, _, attribute = alias.rpartition(".")
            setattr(network.get_submodule(owner), attribute, network.get_parameter(name))


def untie(network: torch.nn.Module) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """The network's state without repetitions, contiguous, and for each repetition the name that is kept."""
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
