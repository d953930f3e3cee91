"""Which number types a loaded model's weights really have."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from inference.residency.reach import reachable

if TYPE_CHECKING:
    import torch


def dtypes_of(model: object) -> dict[str, int]:
    """Bytes of weights by type ("float32"), of all networks of torch inside of `model`; shared weights count once.

    Models of CTranslate2 do not show their weights: of each its type of computation ("int8_float32") is told, with
    zero bytes.
    """
    import torch

    sizes: Counter[str] = Counter()
    networks = reachable([model], lambda item: isinstance(item, torch.nn.Module))
    held = {id(tensor): tensor for network in networks for tensor in network.parameters()}
    for tensor in held.values():
        sizes[_name(tensor.dtype)] += tensor.nbytes
    for handle in reachable([model], lambda item: hasattr(type(item), "unload_model")):
        sizes[str(handle.compute_type)] += 0
    return dict(sizes)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
