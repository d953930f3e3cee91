"""The copy of a model's weights that is kept while the model is off the device.

Weights never change, so leaving the device only frees memory, and returning is one upload. On a GPU the copy is
page-locked host memory, which the copy engine reads at full bus speed. On a CPU a second copy in memory would free
nothing. There the copy is an unnamed file that is mapped on return; the kernel may reclaim its pages at any time.
"""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from inference.models.residency.layout import Span
from inference.models.residency.resident import WeightsDamaged

if TYPE_CHECKING:
    import torch

COPY_CHUNK = 2**28
"""Bytes per page-locked chunk. torch rounds each up to a power of two, which wastes at most half a chunk."""
CHECKSUM_BLOCK = 2**17
"""Words per checksum value: one mebibyte."""
CHECKSUM_WORD = 8


class WeightCopy(Protocol):
    """The bytes of a `Layout`'s buffer, off the device."""

    def fetch(self) -> torch.Tensor:
        """Return the bytes on the device: uint8, shape (size,).

        Raises:
            WeightsDamaged: the bytes differ from those copied.
        """
        ...


class HostCopy:
    """A copy in host memory, in chunks; page-locked if the device is a GPU."""

    def __init__(
        self, spans: Iterable[Span], size: int, *, device: torch.device, pinned: bool, chunk: int = COPY_CHUNK
    ) -> None:
        """Copy the spans' bytes. Every chunk but the last must be a multiple of the checksum block.

        Raises RuntimeError if the memory cannot be allocated.
        """
        import torch

        lengths = [min(chunk, size - start) for start in range(0, size, chunk)]
        self._chunks = [torch.zeros(length, dtype=torch.uint8, pin_memory=pinned) for length in lengths]
        self._device = device
        self._size = size
        for span in spans:
            self._write(span, chunk)
        self._sums = torch.cat([checksum(chunk) for chunk in self._chunks])

    def fetch(self) -> torch.Tensor:
        """Raises WeightsDamaged, or torch.OutOfMemoryError if the device is out of memory."""
        import torch

        buffer = torch.empty(self._size, dtype=torch.uint8, device=self._device)
        start = 0
        for chunk in self._chunks:
            buffer[start : start + len(chunk)].copy_(chunk, non_blocking=True)
            start += len(chunk)
        # The checksum runs after the copies on the same stream, and the comparison waits for it. No copy is pending
        # then.
        _require_same(checksum(buffer, part=len(self._chunks[0])), self._sums)
        return buffer

    def _write(self, span: Span, chunk: int) -> None:
        written = 0
        while written < len(span.source):
            piece, start = divmod(span.offset + written, chunk)
            room = min(chunk - start, len(span.source) - written)
            self._chunks[piece][start : start + room].copy_(span.source[written : written + room])
            written += room


class FileCopy:
    """A copy in an unnamed file of this process; it disappears with the process, however that ends."""

    def __init__(self, spans: Iterable[Span], size: int, *, folder: Path | None) -> None:
        """Write the spans' bytes to a file in `folder`, which should not be in memory (tmpfs).

        Raises OSError if the disk is full.
        """
        self._size = size
        self._file = _write_file(spans, size, folder)
        self._sums = checksum(self._map())

    def fetch(self) -> torch.Tensor:
        """Return the file's pages, mapped copy-on-write. Raises WeightsDamaged."""
        buffer = self._map()
        _require_same(checksum(buffer), self._sums)
        return buffer

    def _map(self) -> torch.Tensor:
        import torch

        # The mapping is freed with the last tensor that refers to it.
        return torch.frombuffer(mmap.mmap(self._file.fileno(), self._size, access=mmap.ACCESS_COPY), dtype=torch.uint8)


def checksum(buffer: torch.Tensor, *, part: int = 0) -> torch.Tensor:
    """Return the sums of the bytes as 64-bit words, modulo 2⁶⁴: int64 on the CPU, one per BLOCK of words.

    `buffer` is uint8, shape (n,), with n a multiple of WORD. If `part` is given, every `part` bytes are summed
    separately.
    """
    import torch

    parts = buffer.split(part) if part else (buffer,)
    return torch.cat([_block_sums(piece) for piece in parts]).cpu()


def _block_sums(buffer: torch.Tensor) -> torch.Tensor:
    import torch

    words = buffer.view(torch.int64)
    whole = len(words) // CHECKSUM_BLOCK * CHECKSUM_BLOCK
    sums = [words[:whole].view(-1, CHECKSUM_BLOCK).sum(dim=1), words[whole:].sum(dim=0, keepdim=True)]
    return torch.cat(sums)


def _require_same(sums: torch.Tensor, expected: torch.Tensor) -> None:
    wrong = int((sums != expected).sum())
    if wrong:
        raise WeightsDamaged(f"{wrong} of {len(expected)} blocks of weights differ from what was loaded.")


def _write_file(spans: Iterable[Span], size: int, folder: Path | None) -> IO[bytes]:
    file = tempfile.TemporaryFile(dir=folder, prefix="weights-")  # noqa: SIM115 - open as long as the copy lives
    for span in spans:
        file.seek(span.offset)
        file.write(memoryview(span.source.cpu().numpy()))
    file.truncate(size)
    file.flush()
    return file


def keep_copy(spans: Sequence[Span], size: int, *, device: torch.device, folder: Path | None) -> WeightCopy:
    """Return the kind of copy that suits `device`. Files go to `folder`; None selects the system's temporary folder."""
    if device.type == "cpu":
        return FileCopy(spans, size, folder=folder)
    return HostCopy(spans, size, device=device, pinned=True)
