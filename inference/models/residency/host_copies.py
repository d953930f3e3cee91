"""The one copy of a model's weights that outlives its stay on the device.

Weights never change, so going out is freeing, and coming in is one upload. On a GPU the copy is page-locked memory of
the host, which the copy engine reads at the bus's full speed. On a CPU a second copy in memory would free nothing:
there it is a file without a name, and coming in is mapping it; the kernel may take the pages back at any time.
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

CHUNK = 2**28
"""Bytes of one page-locked piece: torch rounds pieces up to a power of two, which wastes half a piece at most."""
BLOCK = 2**17
"""Words summed up to one number of the checksum: a mebibyte."""
WORD = 8


class WeightCopy(Protocol):
    """Bytes of a `Layout`'s buffer, off the device."""

    def fetch(self) -> torch.Tensor:
        """The bytes on the device: uint8, shape (size,).

        Raises:
            WeightsDamaged: they are not what was copied.
        """
        ...


class HostCopy:
    """In the host's memory, in pieces, page-locked where the device is a GPU."""

    def __init__(
        self, spans: Iterable[Span], size: int, *, device: torch.device, pinned: bool, chunk: int = CHUNK
    ) -> None:
        """Copies the spans' bytes; a multiple of the checksum's block in each chunk but the last.

        Raises RuntimeError when the memory cannot be had.
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
        """See `WeightCopy.fetch`. Raises torch.OutOfMemoryError where the device has no room."""
        import torch

        buffer = torch.empty(self._size, dtype=torch.uint8, device=self._device)
        start = 0
        for chunk in self._chunks:
            buffer[start : start + len(chunk)].copy_(chunk, non_blocking=True)
            start += len(chunk)
        # On the device's stream behind the copies, and the comparison waits for it: no copy is under way after it.
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
    """In a file of this process alone, without a name: it ends with the process, however that ends."""

    def __init__(self, spans: Iterable[Span], size: int, *, folder: Path | None) -> None:
        """Writes the spans' bytes to a file in `folder`, which should not be in memory itself (tmpfs).

        Raises OSError when the disk has no room.
        """
        self._size = size
        self._file = _write_file(spans, size, folder)
        self._sums = checksum(self._map())

    def fetch(self) -> torch.Tensor:
        """See `WeightCopy.fetch`: the file's pages, private to whoever would write to them."""
        buffer = self._map()
        _require_same(checksum(buffer), self._sums)
        return buffer

    def _map(self) -> torch.Tensor:
        import torch

        # Freed with the last tensor that looks into it.
        return torch.frombuffer(mmap.mmap(self._file.fileno(), self._size, access=mmap.ACCESS_COPY), dtype=torch.uint8)


def checksum(buffer: torch.Tensor, *, part: int = 0) -> torch.Tensor:
    """Sums of the bytes taken as 64-bit words, modulo 2⁶⁴: int64 on the CPU, one for each BLOCK of words.

    `buffer`: uint8, shape (n,), n a multiple of WORD. With `part` bytes given, as if each part were summed by itself.
    """
    import torch

    parts = buffer.split(part) if part else (buffer,)
    return torch.cat([_block_sums(piece) for piece in parts]).cpu()


def _block_sums(buffer: torch.Tensor) -> torch.Tensor:
    import torch

    words = buffer.view(torch.int64)
    whole = len(words) // BLOCK * BLOCK
    sums = [words[:whole].view(-1, BLOCK).sum(dim=1), words[whole:].sum(dim=0, keepdim=True)]
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
    """The kind of copy that suits `device`; `folder` is where a file goes, None: the system's own for such files."""
    if device.type == "cpu":
        return FileCopy(spans, size, folder=folder)
    return HostCopy(spans, size, device=device, pinned=True)
