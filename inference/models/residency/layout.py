"""Place all tensors of a network in one contiguous buffer, so that they move in one transfer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from inference.models.object_graph import reachable

if TYPE_CHECKING:
    import torch

ALIGNMENT = 256
"""Bytes. This is the alignment of CUDA's allocator and exceeds the requirement of any kernel."""


class Unmovable(TypeError):
    """A network holds a kind of tensor whose memory cannot be replaced from outside."""


@dataclass(frozen=True, slots=True, eq=False)
class TensorPlace:
    """One tensor object and the position of its first element in the buffer."""

    tensor: torch.Tensor
    offset: int
    """Bytes."""
    shape: torch.Size
    stride: tuple[int, ...]
    dtype: torch.dtype

    def view(self, buffer: torch.Tensor) -> torch.Tensor:
        """Return the tensor's values in `buffer` (uint8) without copying."""
        import torch

        empty = torch.empty(0, dtype=self.dtype, device=buffer.device)
        return empty.set_(buffer.untyped_storage(), self.offset // self.dtype.itemsize, self.shape, self.stride)


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """A contiguous range of bytes: one tensor, or several that share memory."""

    offset: int
    source: torch.Tensor
    """The bytes as they were when the layout was made, uint8."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The places of all tensors of some networks. Tensors that share memory also share it in the buffer."""

    places: tuple[TensorPlace, ...]
    size: int
    """Size of the buffer in bytes, a multiple of ALIGNMENT."""

    def point_to(self, buffer: torch.Tensor) -> None:
        """Point every tensor to its values in `buffer`. The tensor objects stay the same."""
        for place in self.places:
            place.tensor.data = place.view(buffer)

    def empty(self, device: torch.device) -> None:
        """Release the memory of every tensor. Using one afterwards fails with a shape error."""
        import torch

        for place in self.places:
            place.tensor.data = torch.empty(0, dtype=place.dtype, device=device)


def plan_layout(networks: Iterable[torch.nn.Module]) -> tuple[Layout, list[Span]]:
    """Return the layout of all parameters, buffers and tensors held in any attribute of the networks, and their bytes.

    Raises:
        Unmovable: a tensor is sparse, quantized with torch's old scheme, on the meta device, or made in inference mode;
            or there are no tensors.
    """
    tensors = find_tensors(networks)
    places: list[TensorPlace] = []
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
    """Return every non-empty tensor of the networks: parameters, buffers, state of quantized layers, other attributes.

    Raises:
        Unmovable: a tensor has a kind that `plan_layout` rejects.
    """
    import torch

    parts = [part for network in networks for part in network.modules()]
    held = reachable(parts, lambda item: isinstance(item, torch.Tensor))
    plain = {id(inner): inner for tensor in held for inner in _inner(tensor)}
    for tensor in plain.values():
        _require_movable(tensor)
    return [tensor for tensor in plain.values() if tensor.numel()]


def _inner(tensor: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield the plain tensors inside a tensor wrapper (`__tensor_flatten__`), or the tensor itself."""
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
    """Yield groups of tensors whose bytes overlap."""

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
    """Return the offset in bytes from the start of its storage."""
    return int(tensor.storage_offset()) * tensor.element_size()


def _end(tensor: torch.Tensor) -> int:
    last = sum((extent - 1) * step for extent, step in zip(tensor.shape, tensor.stride(), strict=True))
    return _begin(tensor) + (last + 1) * tensor.element_size()


def _place(tensor: torch.Tensor, offset: int) -> TensorPlace:
    return TensorPlace(tensor, offset, tensor.shape, tensor.stride(), tensor.dtype)


def _bytes(tensor: torch.Tensor, start: int, end: int) -> torch.Tensor:
    """Return a byte range of the tensor's storage as uint8 without copying."""
    import torch

    raw = torch.empty(0, dtype=torch.uint8, device=tensor.device)
    return raw.set_(tensor.untyped_storage(), start, (end - start,), (1,))
