"""File responses with byte ranges, as players request the part that they are about to play (RFC 9110, 14)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse

READ_BLOCK = 256 * 1024
"""Bytes that are read at once."""

ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
"""Longer numbers cannot be positions in a file."""


class Unsatisfiable(ValueError):
    """The range begins beyond the end of the file."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """From the byte `first` up to, but not including, `end`."""

    first: int
    end: int

    def content_range(self, size: int) -> str:
        """Return the Content-Range header for this part of `size` bytes."""
        return f"bytes {self.first}-{self.end - 1}/{size}"


def parse_range(header: str, size: int) -> ByteRange | None:
    """Return the requested part; None: the whole file, also for several ranges or an invalid header.

    Raises:
        Unsatisfiable: the file contains no byte of it.
    """
    match = ONE_RANGE.fullmatch(header.strip())
    if match is None or match.groups() == ("", ""):
        return None
    first, last = (int(number) if number else None for number in match.groups())
    if first is None:
        wanted = ByteRange(max(0, size - (last or 0)), size)
    elif last is not None and last < first:
        return None
    else:
        wanted = ByteRange(first, min(size, last + 1) if last is not None else size)
    if wanted.first >= wanted.end:
        raise Unsatisfiable(header)
    return wanted


def file_response(path: Path, *, content_type: str, range_header: str) -> HttpResponseBase:
    """Return the file or the requested part; 416 if there is no such part. Raises FileNotFoundError."""
    size = path.stat().st_size
    try:
        wanted = parse_range(range_header, size)
    except Unsatisfiable:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    part = wanted or ByteRange(0, size)
    headers = {"Accept-Ranges": "bytes", "Content-Length": str(part.end - part.first)}
    if wanted is not None:
        headers["Content-Range"] = wanted.content_range(size)
    status = 200 if wanted is None else 206
    return StreamingHttpResponse(_read(path, part), content_type=content_type, status=status, headers=headers)


async def _read(path: Path, part: ByteRange) -> AsyncIterator[bytes]:
    """Yield blocks of the part, read in a thread, so that a slow disk does not block the event loop."""
    with await asyncio.to_thread(path.open, "rb") as file:
        await asyncio.to_thread(file.seek, part.first)
        left = part.end - part.first
        while left:
            block = await asyncio.to_thread(file.read, min(READ_BLOCK, left))
            if not block:
                return
            left -= len(block)
            yield block
