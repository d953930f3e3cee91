"""Estimate a model's size before loading it."""

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
"""Bits per weight; 4 and 8 quantize linear layers and keep the rest in 16."""

WEIGHT_FILES = ("*.safetensors", "*.gguf", "model.bin", "pytorch_model*.bin", "*.pt", "*.bin")
"""The first pattern with a match counts, because hub folders often hold the same weights twice."""
LONGEST_HEADER = 100_000_000
"""Bytes; the format's own limit."""
FOUR_BIT_BLOCK = 64
"""Weights that share a scale in bitsandbytes' NF4 (Dettmers et al. 2023, arXiv 2305.14314)."""


def file_bytes(path: Path) -> int:
    """Return the bytes of a weight file or of a folder's weight files, for formats loaded exactly as stored.

    Raises:
        ModelMissing: there are no weights.
    """
    if path.is_file():
        return path.stat().st_size
    for pattern in WEIGHT_FILES:
        files = list(path.glob(pattern))
        if files:
            return sum(file.stat().st_size for file in files)
    raise ModelMissing(f"{path} holds no weights; name a folder with a model.")


def safetensors_bytes(path: Path, *, bits: Bits | None = None) -> int:
    """Return the bytes of the tensors in a safetensors file, at `bits` per weight or else the file's own width.

    Reads only the header (https://github.com/huggingface/safetensors#format).

    Raises:
        ModelCorrupt: the file has no such header.
    """
    tensors = {name: entry for name, entry in _read_header(path).items() if name != "__metadata__"}
    if bits is None:
        return sum(entry["data_offsets"][1] - entry["data_offsets"][0] for entry in tensors.values())
    return sum(prod(entry["shape"]) for entry in tensors.values()) * bits // 8


def planned_bytes(config: Any, *, bits: Bits = 16, architecture: str = "AutoModelForCausalLM") -> int:
    """Return the bytes of the network that a transformers `config` describes, built without memory as `architecture`.

    With 8 and 4 bits every linear layer but the last is counted as bitsandbytes stores it: one byte per weight and a
    float32 per row (Dettmers et al. 2022, arXiv 2208.07339), or half a byte per weight and a scale per block.
    """
    network = _described(config, architecture)
    parts = [_linear_bytes(part, bits) for part in _quantized(network, bits)]
    return sum(quantized for quantized, _ in parts) + (_weight_count(network) - sum(n for _, n in parts)) * (
        max(bits, 16) // 8
    )


def broken_rows(config: Any, *, architecture: str = "AutoModelForCausalLM") -> list[int]:
    """Return the row lengths of 4-bit layers that are not a multiple of the block size, each length once."""
    lengths = {layer.in_features for layer in _quantized(_described(config, architecture), 4)}
    return sorted(length for length in lengths if length % FOUR_BIT_BLOCK)


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
    """Return the network without memory."""
    import torch

    from inference.models.torchaudio_compat import import_transformers

    # Import outside the context: constants of a module first imported on the meta device stay there.
    transformers = import_transformers()
    with torch.device("meta"):
        return getattr(transformers, architecture).from_config(config)


def _quantized(network: Any, bits: Bits) -> list[torch.nn.Linear]:
    """Return the layers stored in that many bits: with 8 and 4, every linear layer but the last."""
    import torch

    head = network.get_output_embeddings()
    layers = [part for part in network.modules() if isinstance(part, torch.nn.Linear) and part is not head]
    return layers if bits < 16 else []


def _linear_bytes(layer: Any, bits: Bits) -> tuple[int, int]:
    """Return the bytes of the layer's quantized weight, and its number of weights."""
    rows, columns = layer.weight.shape
    weights = rows * columns
    scales = 4 * rows if bits == 8 else weights // FOUR_BIT_BLOCK + weights // FOUR_BIT_BLOCK**2
    return weights * bits // 8 + scales, weights


def _weight_count(network: torch.nn.Module) -> int:
    """Return the number of weights and buffer elements, counting tied ones once."""
    return sum(tensor.numel() for tensor in (*network.parameters(), *network.buffers()))
