"""Headers written by hand after the specification."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from inference.models.loading import ModelCorrupt
from inference.models.residency.gguf import gguf_bytes


def string(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


ENTRIES = (
    string("general.architecture") + struct.pack("<I", 8) + string("llama"),
    string("llama.block_count") + struct.pack("<II", 4, 30),
    string("rope") + struct.pack("<Id", 12, 1e4),
    string("tokens") + struct.pack("<IIQ", 9, 8, 2) + string("<s>") + string("</s>"),
    string("scores") + struct.pack("<IIQ3f", 9, 6, 3, 0.0, 1.0, 2.0),
    string("nested") + struct.pack("<IIQ", 9, 9, 1) + struct.pack("<IQ2B", 0, 2, 1, 2),
)
TENSORS = (
    string("token_embd.weight") + struct.pack("<IQQIQ", 2, 576, 100, 3, 0),
    string("norm.weight") + struct.pack("<IQIQ", 1, 576, 0, 4096),
)
WEIGHTS = 576 * 100 + 576


def header(*, version: int = 3) -> bytes:
    start = b"GGUF" + struct.pack("<IQQ", version, len(TENSORS), len(ENTRIES))
    return start + b"".join(ENTRIES) + b"".join(TENSORS)


@pytest.mark.parametrize("version", [2, 3])
def test_weights_are_counted_whatever_stands_before_them(tmp_path: Path, version: int) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(header(version=version) + bytes(5000))
    assert gguf_bytes(path, bits=32) == WEIGHTS * 4
    assert gguf_bytes(path, bits=16) == WEIGHTS * 2


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GGUF",
        b"PK\x03\x04" + header()[4:],
        header(version=1),
        header()[:-13],
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + string("odd") + struct.pack("<I", 77),
        b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + string("odd") + struct.pack("<I", 4_000_000_000),
        b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + struct.pack("<Q", 2**63),
    ],
    ids=["empty", "short", "other", "version", "cut", "type", "dimensions", "length"],
)
def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelCorrupt, match=r"model\.gguf is no GGUF file"):
        gguf_bytes(path, bits=32)
