"""Read the weights from a CTranslate2 `model.bin` without CTranslate2.

The layout is that of `ctranslate2/specs/model_spec.py`, binary version 6, little-endian: version, name and revision of
the specification; for each variable its name, rank, dimensions, type, byte count and values; then aliases of variables.
A name is preceded by its length, which includes the terminating zero.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from inference.models.loading import ModelCorrupt

BINARY_VERSION = 6
TYPES = (np.float32, np.int8, np.int16, np.int32, np.float16)
"""Indexed by the number in the file. The next one, bfloat16, is unknown to NumPy."""


@dataclass(frozen=True, slots=True, eq=False)
class CTranslate2File:
    specification: str
    """For example `WhisperSpec`."""
    variables: dict[str, np.ndarray]
    """Mapped copy-on-write: pages are read when used, and writes stay in memory."""


def read_ctranslate2(path: Path) -> CTranslate2File:
    """Read the file. Raises FileNotFoundError, or ModelCorrupt for a file of another kind or a truncated one."""
    content = np.memmap(path, np.uint8, "c") if path.stat().st_size else np.zeros(0, np.uint8)
    with path.open("rb") as file:
        try:
            return _read(file, content)
        except (struct.error, UnicodeDecodeError, IndexError, ValueError) as error:
            raise ModelCorrupt(f"{path} is no whole CTranslate2 model of binary version {BINARY_VERSION}.") from error


def _read(file: BinaryIO, content: np.ndarray) -> CTranslate2File:
    if _number(file, "I") != BINARY_VERSION:
        raise ValueError("another binary version")
    specification = _name(file)
    _number(file, "I")  # the revision; its changes show in the variables
    variables = dict(_variable(file, content) for _ in range(_number(file, "I")))
    for _ in range(_number(file, "I")):
        alias, name = _name(file), _name(file)
        if name not in variables:
            raise ValueError(f"{alias} stands for nothing")
        variables[alias] = variables[name]
    return CTranslate2File(specification, variables)


def _variable(file: BinaryIO, content: np.ndarray) -> tuple[str, np.ndarray]:
    name = _name(file)
    shape = tuple(_number(file, "I") for _ in range(_number(file, "B")))
    kind = np.dtype(TYPES[_number(file, "B")])
    size, start = _number(file, "I"), file.tell()
    if start + size > len(content):
        raise ValueError(f"{name} is cut")
    file.seek(size, 1)
    return name, content[start : start + size].view(kind).reshape(shape)


def _name(file: BinaryIO) -> str:
    length = _number(file, "H")
    raw = file.read(length)
    if len(raw) != length:
        raise ValueError("a name is cut")
    return raw.rstrip(b"\0").decode()


def _number(file: BinaryIO, form: str) -> int:
    return int(struct.unpack(f"<{form}", file.read(struct.calcsize(f"<{form}")))[0])
