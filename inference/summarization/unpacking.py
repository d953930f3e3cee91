"""A GGUF unpacked once into the hub's own form: reading its vocabulary and weights takes a minute, every time."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

FOLDER = "unpacked"
"""Beside the GGUF: tokenizer, configuration, and the weights as safetensors in 16 bits.

A weight of a 4 or 5 bit form is a product of small integers and a 16 bit scale: rounding it to 16 bits changes it by
less than a thousandth, where packing it has changed it by several hundredths.
"""


def is_unpacked(gguf: Path) -> bool:
    """Whether `unpacked` has nothing to do."""
    return (gguf.parent / FOLDER).is_dir()


def unpacked(transformers: Any, gguf: Path) -> Path | None:
    """The folder with the unpacked model, made when it is not there yet.

    None where it cannot be kept, because the folder is read-only or the disk is full: then the GGUF is read each time.
    Raises what transformers raises for a damaged GGUF.
    """
    kept = gguf.parent / FOLDER
    if is_unpacked(gguf):
        return kept
    try:
        temporary = Path(tempfile.mkdtemp(prefix=f".{FOLDER}-", dir=gguf.parent))
    except OSError:
        return None
    try:
        _unpack(transformers, gguf, temporary)
        return _put_in_place(temporary, kept)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _unpack(transformers: Any, gguf: Path, folder: Path) -> None:
    import torch

    tokenizer = transformers.AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    network = transformers.AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    tokenizer.save_pretrained(folder)
    _plain(transformers, network).to(torch.float16).save_pretrained(folder)


def _plain(transformers: Any, network: Any) -> Any:
    """The same network without its mark of being a GGUF, which transformers does not save; the weights are unpacked."""
    config = network.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    plain = transformers.AutoModelForCausalLM.from_config(config)
    plain.load_state_dict(network.state_dict())
    plain.generation_config = network.generation_config
    return plain


def _put_in_place(temporary: Path, kept: Path) -> Path | None:
    """By a rename, so that no reader finds half of it; another process may have been faster."""
    try:
        temporary.rename(kept)
    except OSError:
        return kept if kept.is_dir() else None
    return kept
