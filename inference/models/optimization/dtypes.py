"""Report the actual data types of a loaded model's weights."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from inference.models.object_graph import reachable

if TYPE_CHECKING:
    import torch


def dtypes_of(model: object) -> dict[str, int]:
    """Return bytes of weights by type ("float32") over all torch networks inside `model`, counting shared weights once.

    CTranslate2 models do not expose their weights; their compute type ("int8_float32") is reported with zero bytes.
    """
    sizes: Counter[str] = Counter()
    held = {id(tensor): tensor for network in _networks(model) for tensor in network.parameters()}
    for tensor in held.values():
        sizes[_name(tensor.dtype)] += tensor.nbytes
    for handle in reachable([model], lambda item: hasattr(type(item), "unload_model")):
        sizes[str(handle.compute_type)] += 0
    return dict(sizes)


def _networks(model: object) -> Iterator[torch.nn.Module]:
    # If torch has not been imported there are no torch networks, and importing it takes seconds.
    torch = sys.modules.get("torch")
    if torch is not None:
        yield from reachable([model], lambda item: isinstance(item, torch.nn.Module))


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
