"""How many weights a GGUF file holds, read from its header alone.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little-endian.
"""

from __future__ import annotations

import struct
from math import prod
from pathlib import Path
from typing import BinaryIO

from inference.loading import ModelCorrupt

MAGIC = b"GGUF"
VERSIONS = (2, 3)
STRING, ARRAY = 8, 9
WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Type of a metadata value to its bytes."""
MOST_DIMENSIONS = 8


class _Damaged(ValueError):
    """The bytes are not what the format says."""


def gguf_bytes(path: Path, *, bits: int) -> int:
    """Bytes of the file's weights at `bits` each: transformers unpacks them where it has no kernel for the packed form.

    Raises:
        ModelCorrupt: the file is no GGUF.
    """
    try:
        with path.open("rb") as file:
            return _count_weights(file) * bits // 8
    except (_Damaged, struct.error) as error:
        raise ModelCorrupt(f"{path} is no GGUF file: its header cannot be read.") from error


def _count_weights(file: BinaryIO) -> int:
    if file.read(4) != MAGIC or _number(file, "<I") not in VERSIONS:
        raise _Damaged
    tensors, entries = _number(file, "<Q"), _number(file, "<Q")
    for _ in range(entries):
        _skip_string(file)
        _skip_values(file, _number(file, "<I"), 1)
    return sum(_tensor_weights(file) for _ in range(tensors))


def _tensor_weights(file: BinaryIO) -> int:
    _skip_string(file)
    dimensions = _number(file, "<I")
    if dimensions > MOST_DIMENSIONS:
        raise _Damaged
    weights = prod(_number(file, "<Q") for _ in range(dimensions))
    file.seek(4 + 8, 1)  # type and offset
    return weights


def _skip_values(file: BinaryIO, kind: int, count: int) -> None:
    for _ in range(count if kind in (STRING, ARRAY) else 0):
        if kind == STRING:
            _skip_string(file)
        else:
            _skip_values(file, _number(file, "<I"), _number(file, "<Q"))
    if kind in WIDTHS:
        file.seek(count * WIDTHS[kind], 1)
    elif kind not in (STRING, ARRAY):
        raise _Damaged


def _skip_string(file: BinaryIO) -> None:
    length = _number(file, "<Q")
    if length >= 2**31:
        raise _Damaged
    file.seek(length, 1)


def _number(file: BinaryIO, form: str) -> int:
    return int(struct.unpack(form, file.read(struct.calcsize(form)))[0])
