"""Where each tensor of a network lies in one contiguous buffer, so that all of them move in one piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from inference.models.object_graph import reachable

if TYPE_CHECKING:
    import torch

ALIGNMENT = 256
"""Bytes; what CUDA's allocator gives, and more than any kernel asks for."""


class Unmovable(TypeError):
    """A network holds a kind of tensor whose memory cannot be replaced from outside."""


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """One tensor object and where its first element lies in the buffer."""

    tensor: torch.Tensor
    offset: int
    """Bytes."""
    shape: torch.Size
    stride: tuple[int, ...]
    dtype: torch.dtype

    def view(self, buffer: torch.Tensor) -> torch.Tensor:
        """The tensor's values in `buffer`, uint8, without a copy."""
        import torch

        empty = torch.empty(0, dtype=self.dtype, device=buffer.device)
        return empty.set_(buffer.untyped_storage(), self.offset // self.dtype.itemsize, self.shape, self.stride)


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """Bytes that lie together: a tensor, or several that share memory."""

    offset: int
    source: torch.Tensor
    """uint8, the bytes as they lay when the layout was made."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The places of all tensors of some networks. Tensors that share memory share it in the buffer too."""

    places: tuple[Place, ...]
    size: int
    """Bytes of the buffer, a multiple of ALIGNMENT."""

    def point_to(self, buffer: torch.Tensor) -> None:
        """Gives every tensor its values in `buffer`; the tensor objects stay the same."""
        for place in self.places:
            place.tensor.data = place.view(buffer)

    def empty(self, device: torch.device) -> None:
        """Takes the memory away from every tensor: whoever uses one now gets an error about its shape."""
        import torch

        for place in self.places:
            place.tensor.data = torch.empty(0, dtype=place.dtype, device=device)


def plan_layout(networks: Iterable[torch.nn.Module]) -> tuple[Layout, list[Span]]:
    """The layout of all parameters, buffers and tensors that the networks hold in any attribute, and their bytes.

    Raises:
        Unmovable: a tensor is sparse, quantized by torch's old scheme, on the meta device, or made in inference mode;
            or there is none.
    """
    tensors = find_tensors(networks)
    places: list[Place] = []
    spans: list[Span] = []
    size = 0
    for together in _sharing(tensors):
        start = min(_begin(tensor) for tensor in together)
        end = max(_end(tensor) for tensor in together)
        places += [_place(tensor, size + _begin(tensor) - start) for tensor in together]
        spans.append(Span(size, _bytes(together[0], start, end)))
        size += -(-(end - start) // ALIGNMENT) * ALIGNMENT
    if not places:
        raise Unmovable("The model holds no weights.")
    return Layout(tuple(places), size), spans


def find_tensors(networks: Iterable[torch.nn.Module]) -> list[torch.Tensor]:
    """Every tensor with memory that the networks hold: parameters, buffers, quantized layers' state, other attributes.

    Raises:
        Unmovable: see `plan_layout`.
    """
    import torch

    parts = [part for network in networks for part in network.modules()]
    held = reachable(parts, lambda item: isinstance(item, torch.Tensor))
    plain = {id(inner): inner for tensor in held for inner in _inner(tensor)}
    for tensor in plain.values():
        _require_movable(tensor)
    return [tensor for tensor in plain.values() if tensor.numel()]


def _inner(tensor: torch.Tensor) -> Iterator[torch.Tensor]:
    """The plain tensors that a wrapper of tensors is made of (`__tensor_flatten__`), or the tensor itself."""
    flatten = getattr(tensor, "__tensor_flatten__", None)
    if flatten is None:
        yield tensor
        return
    for name in flatten()[0]:
        yield from _inner(getattr(tensor, name))


def _require_movable(tensor: torch.Tensor) -> None:
    import torch

    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta or tensor.is_inference():
        traits = f"{tensor.layout}, {tensor.dtype}, {tensor.device}, made in inference mode: {tensor.is_inference()}"
        raise Unmovable(f"A tensor of shape {tuple(tensor.shape)} cannot be moved ({traits}).")


def _sharing(tensors: Iterable[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    """The tensors, those together whose bytes overlap."""

    def storage(tensor: torch.Tensor) -> int:
        return tensor.untyped_storage().data_ptr()

    ordered = sorted(tensors, key=lambda tensor: (storage(tensor), _begin(tensor)))
    for _, group in groupby(ordered, key=storage):
        together: list[torch.Tensor] = []
        end = 0
        for tensor in group:
            if together and _begin(tensor) >= end:
                yield together
                together = []
            together.append(tensor)
            end = max(end, _end(tensor))
        yield together


def _begin(tensor: torch.Tensor) -> int:
    """Bytes from its storage's start."""
    return int(tensor.storage_offset()) * tensor.element_size()


def _end(tensor: torch.Tensor) -> int:
    last = sum((extent - 1) * step for extent, step in zip(tensor.shape, tensor.stride(), strict=True))
    return _begin(tensor) + (last + 1) * tensor.element_size()


def _place(tensor: torch.Tensor, offset: int) -> Place:
    return Place(tensor, offset, tensor.shape, tensor.stride(), tensor.dtype)


def _bytes(tensor: torch.Tensor, start: int, end: int) -> torch.Tensor:
    """Those of the tensor's storage, uint8, without a copy."""
    import torch

    raw = torch.empty(0, dtype=torch.uint8, device=tensor.device)
    return raw.set_(tensor.untyped_storage(), start, (end - start,), (1,))
