"""How large a model will be, told before a byte of it is loaded."""

from __future__ import annotations

import json
import struct
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from inference.models.loading import ModelCorrupt, ModelMissing

if TYPE_CHECKING:
    import torch

Bits = Literal[4, 8, 16, 32]
"""Of a weight; 4 and 8 keep linear layers quantized and the rest in 16."""

WEIGHT_FILES = ("*.safetensors", "*.gguf", "model.bin", "pytorch_model*.bin", "*.pt", "*.bin")
"""The first kind that a folder has counts: folders of the hub often hold the same weights twice."""
LONGEST_HEADER = 100_000_000
"""Bytes; the format's own limit."""
FOUR_BIT_BLOCK = 64
"""Weights that share a scale in bitsandbytes' NF4 (Dettmers et al. 2023, arXiv 2305.14314)."""


def file_bytes(path: Path) -> int:
    """Bytes of a weight file, or of a folder's weight files; for formats that are loaded as they lie on the disk.

    Raises:
        ModelMissing: there is none.
    """
    if path.is_file():
        return path.stat().st_size
    for pattern in WEIGHT_FILES:
        files = list(path.glob(pattern))
        if files:
            return sum(file.stat().st_size for file in files)
    raise ModelMissing(f"{path} holds no weights; name a folder with a model.")


def safetensors_bytes(path: Path, *, bits: Bits | None = None) -> int:
    """Bytes of the tensors in a safetensors file, at `bits` a weight instead of the file's own width, if given.

    Reads the header alone (https://github.com/huggingface/safetensors#format).

    Raises:
        ModelCorrupt: the file has no such header.
    """
    tensors = {name: entry for name, entry in _read_header(path).items() if name != "__metadata__"}
    if bits is None:
        return sum(entry["data_offsets"][1] - entry["data_offsets"][0] for entry in tensors.values())
    return sum(prod(entry["shape"]) for entry in tensors.values()) * bits // 8


def planned_bytes(config: Any, *, bits: Bits = 16, architecture: str = "AutoModelForCausalLM") -> int:
    """Bytes of the network that a transformers `config` describes, built without memory as `architecture`.

    With 8 and 4 bits every linear layer but the last is counted as bitsandbytes stores it: a byte a weight and a
    float32 a row (Dettmers et al. 2022, arXiv 2208.07339), or half a byte a weight and a scale a block.
    """
    network = _described(config, architecture)
    parts = [_linear_bytes(part, bits) for part in _quantized(network, bits)]
    return sum(quantized for quantized, _ in parts) + (_weight_count(network) - sum(n for _, n in parts)) * (
        max(bits, 16) // 8
    )


def broken_rows(config: Any, *, architecture: str = "AutoModelForCausalLM") -> list[int]:
    """Row lengths of the layers that 4 bits are for, where rows are no whole number of blocks; each length once."""
    lengths = {layer.in_features for layer in _quantized(_described(config, architecture), 4)}
    return sorted(length for length in lengths if length % FOUR_BIT_BLOCK)


def key_value_bytes(config: Any, *, tokens: int, itemsize: int = 2) -> int:
    """Bytes of the key-value cache of one sequence of `tokens` in a transformers causal language model."""
    heads = config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    key_value_heads = getattr(config, "num_key_value_heads", None) or heads
    return int(2 * config.num_hidden_layers * key_value_heads * width * tokens * itemsize)


def _read_header(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else LONGEST_HEADER
        raw = file.read(length) if length < LONGEST_HEADER else b""
    try:
        header: dict[str, Any] = json.loads(raw)
    except ValueError as error:
        raise ModelCorrupt(f"{path} is no safetensors file: its header cannot be read.") from error
    return header


def _described(config: Any, architecture: str) -> Any:
    """The network without memory."""
    import torch

    from inference.models.torchaudio_compat import import_transformers

    # Outside the context: constants of a module that is first imported on the meta device stay there for good.
    transformers = import_transformers()
    with torch.device("meta"):
        return getattr(transformers, architecture).from_config(config)


def _quantized(network: Any, bits: Bits) -> list[torch.nn.Linear]:
    """The layers that are kept in that many bits: with 8 and 4 every linear one but the last."""
    import torch

    head = network.get_output_embeddings()
    layers = [part for part in network.modules() if isinstance(part, torch.nn.Linear) and part is not head]
    return layers if bits < 16 else []


def _linear_bytes(layer: Any, bits: Bits) -> tuple[int, int]:
    """Bytes of the layer's quantized weight, and how many weights those are."""
    rows, columns = layer.weight.shape
    weights = rows * columns
    scales = 4 * rows if bits == 8 else weights // FOUR_BIT_BLOCK + weights // FOUR_BIT_BLOCK**2
    return weights * bits // 8 + scales, weights


def _weight_count(network: torch.nn.Module) -> int:
    """Weights and buffers, tied ones once."""
    return sum(tensor.numel() for tensor in (*network.parameters(), *network.buffers()))
