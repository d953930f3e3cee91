"""Which number types a loaded model's weights really have."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from inference.models.object_graph import reachable

if TYPE_CHECKING:
    import torch


def dtypes_of(model: object) -> dict[str, int]:
    """Bytes of weights by type ("float32"), of all networks of torch inside of `model`; shared weights count once.

    Models of CTranslate2 do not show their weights: of each its type of computation ("int8_float32") is told, with
    zero bytes.
    """
    sizes: Counter[str] = Counter()
    held = {id(tensor): tensor for network in _networks(model) for tensor in network.parameters()}
    for tensor in held.values():
        sizes[_name(tensor.dtype)] += tensor.nbytes
    for handle in reachable([model], lambda item: hasattr(type(item), "unload_model")):
        sizes[str(handle.compute_type)] += 0
    return dict(sizes)


def _networks(model: object) -> Iterator[torch.nn.Module]:
    # Where nobody has imported torch there are no networks of it, and importing it takes seconds.
    torch = sys.modules.get("torch")
    if torch is not None:
        yield from reachable([model], lambda item: isinstance(item, torch.nn.Module))


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
