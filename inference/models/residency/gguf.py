"""Count the weights of a GGUF file from its header alone.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little-endian.
"""

from __future__ import annotations

import struct
from math import prod
from mmap import ACCESS_READ, mmap
from pathlib import Path

from inference.models.loading import ModelCorrupt

SMALL, LARGE = struct.Struct("<I"), struct.Struct("<Q")
GGUF_MAGIC = int.from_bytes(b"GGUF", "little")
VERSIONS = (2, 3)
STRING, ARRAY = 8, 9
WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Size in bytes of each metadata value type."""
MOST_DIMENSIONS = 8


class _Damaged(ValueError):
    """The bytes do not follow the format."""


def gguf_bytes(path: Path, *, bits: int) -> int:
    """Return the size in bytes of the file's weights at `bits` each, as if unpacked.

    transformers unpacks weights if it has no kernel for their packed form.

    Raises:
        ModelCorrupt: the file is not a GGUF file.
    """
    try:
        with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as view:
            return _count_weights(_Header(view)) * bits // 8
    except (ValueError, struct.error) as error:  # mmap raises ValueError for an empty file
        raise ModelCorrupt(f"{path} is no GGUF file: its header cannot be read.") from error


class _Header:
    """Sequential reader. A vocabulary holds 300,000 strings, and each only gives the position of the next."""

    def __init__(self, view: mmap) -> None:
        self._view = view
        self._at = 0

    def small(self) -> int:
        """Read a 4-byte number."""
        return self._number(SMALL)

    def large(self) -> int:
        """Read an 8-byte number."""
        return self._number(LARGE)

    def skip(self, size: int) -> None:
        """Skip `size` bytes. Raises _Damaged beyond the end."""
        self._at += size
        if self._at > len(self._view):
            raise _Damaged

    def skip_strings(self, count: int) -> None:
        """Skip `count` strings. Raises _Damaged or struct.error beyond the end."""
        view, at, end, length_at = self._view, self._at, len(self._view), LARGE.unpack_from
        for _ in range(count):
            at += LARGE.size + length_at(view, at)[0]
            if at > end:
                raise _Damaged
        self._at = at

    def _number(self, form: struct.Struct) -> int:
        number = int(form.unpack_from(self._view, self._at)[0])
        self._at += form.size
        return number


def _count_weights(header: _Header) -> int:
    if header.small() != GGUF_MAGIC or header.small() not in VERSIONS:
        raise _Damaged
    tensors, entries = header.large(), header.large()
    for _ in range(entries):
        header.skip_strings(1)
        _skip_values(header, header.small(), 1)
    return sum(_tensor_weights(header) for _ in range(tensors))


def _tensor_weights(header: _Header) -> int:
    header.skip_strings(1)
    dimensions = header.small()
    if dimensions > MOST_DIMENSIONS:
        raise _Damaged
    weights = prod(header.large() for _ in range(dimensions))
    header.skip(4 + 8)  # type and offset
    return weights


def _skip_values(header: _Header, kind: int, count: int) -> None:
    if kind == STRING:
        header.skip_strings(count)
    elif kind == ARRAY:
        for _ in range(count):
            _skip_values(header, header.small(), header.large())
    elif kind in WIDTHS:
        header.skip(count * WIDTHS[kind])
    else:
        raise _Damaged
