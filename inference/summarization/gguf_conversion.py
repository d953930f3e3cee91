"""Unpack a GGUF file once into the hub's format. Reading its vocabulary and weights takes a minute each time."""

from __future__ import annotations

import fcntl
import json
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from inference.models.loading.manifest import (
    FileDigest,
    SnapshotSource,
    SnapshotUnusable,
    check_source,
    describe_source,
)
from inference.models.readable import let_read
from inference.models.torchaudio_compat import import_transformers

FOLDER = "unpacked"
"""Next to the GGUF: tokenizer, configuration, and weights as safetensors in 16 bits, whatever dtype they will run in.

A weight in a 4 or 5 bit format is a product of small integers and a 16 bit scale. Rounding it to 16 bits changes it by
less than a thousandth, whereas quantization changed it by several hundredths.
"""
LOCK = ".unpacking"
"""Beside the GGUF: locked by the one process that unpacks it; others wait for it, or see that it is under way."""

SOURCE = "source.json"
"""Record of the source GGUF in FOLDER. Folders of earlier versions lack it and are trusted."""


def find_unpacked(gguf: Path) -> Path | None:
    """Return the folder with the unpacked model if it was made from this exact GGUF."""
    kept = gguf.parent / FOLDER
    return kept if kept.is_dir() and _is_of(kept, gguf) else None


def unpacked(gguf: Path) -> Path | None:
    """Return the folder with the unpacked model, unpacking it first if necessary.

    None if it cannot be stored because the folder is read-only; the GGUF is then read each time.

    Raises what transformers raises for a damaged GGUF, and OSError for a full disk.
    """
    if (kept := find_unpacked(gguf)) is not None:
        return kept
    place = gguf.parent / LOCK
    try:
        lock = place.open("ab")
    except OSError:
        return None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            return find_unpacked(gguf) or _make_unpacked(gguf)
        finally:
            place.unlink(missing_ok=True)


def is_being_unpacked(gguf: Path) -> bool:
    """Return whether some process is in `unpacked` with this file now."""
    try:
        with (gguf.parent / LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _make_unpacked(gguf: Path) -> Path | None:
    try:
        temporary = Path(tempfile.mkdtemp(prefix=f".{FOLDER}-", dir=gguf.parent))
    except OSError:
        return None
    try:
        _unpack(gguf, temporary)
        (temporary / SOURCE).write_text(json.dumps({gguf.name: asdict(describe_source(gguf))}), encoding="utf-8")
        let_read(temporary)
        return _put_in_place(temporary, gguf)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _is_of(folder: Path, gguf: Path) -> bool:
    try:
        source = json.loads((folder / SOURCE).read_text(encoding="utf-8"))[gguf.name]
        check_source(gguf, SnapshotSource(FileDigest(**source["digest"]), source["modified_ns"]))
    except FileNotFoundError:
        return True
    except (SnapshotUnusable, ValueError, LookupError, TypeError):
        return False
    return True


def _unpack(gguf: Path, folder: Path) -> None:
    import torch

    transformers = import_transformers()
    tokenizer = transformers.AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    network = transformers.AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    tokenizer.save_pretrained(folder)
    _plain(transformers, network).to(torch.float16).save_pretrained(folder)


def _plain(transformers: Any, network: Any) -> Any:
    """Return the network without its GGUF marker, which transformers does not save; the weights are unpacked."""
    config = network.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    plain = transformers.AutoModelForCausalLM.from_config(config)
    plain.load_state_dict(network.state_dict())
    plain.generation_config = network.generation_config
    return plain


def _put_in_place(temporary: Path, gguf: Path) -> Path | None:
    """Rename into place, so that a reader never finds a partial folder. Another process may have been faster."""
    kept = gguf.parent / FOLDER
    replaced = temporary.with_name(f"{temporary.name}-replaced")
    if kept.exists() and find_unpacked(gguf) is None:
        kept.rename(replaced)
    try:
        temporary.rename(kept)
    except OSError:
        return find_unpacked(gguf)
    finally:
        shutil.rmtree(replaced, ignore_errors=True)
    return kept
