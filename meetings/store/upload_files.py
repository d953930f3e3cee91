"""Files that arrive in chunks. The size on disk is the only record of how much has arrived."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import hmac
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path

from django.conf import settings

MAX_CHUNK = 1 << 20
"""Bytes; small enough to show progress on a slow link, and to repeat little after a broken one."""

DISK_RESERVE = 1 << 30
"""Bytes of disk space that uploads leave to database and audio log."""


class WrongOffset(Exception):
    """The chunk does not begin where the file ends, which is at `received`."""

    def __init__(self, received: int) -> None:
        super().__init__(f"{received} bytes are here; go on there.")
        self.received = received


class ChunkDamaged(Exception):
    """The checksum does not match; send the chunk again."""


class ChunkTooLarge(Exception):
    """The chunk is longer than MAX_CHUNK, or than the rest of the file."""


class Occupied(Exception):
    """Another request is writing to the file."""


class DiskFull(Exception):
    """There is no room for the file."""


def folder() -> Path:
    """Return the folder of all uploads, created if missing."""
    place = Path(settings.ENVIRONMENT.data) / "uploads"
    place.mkdir(parents=True, exist_ok=True)
    return place


def path(meeting_id: str) -> Path:
    """Return the path of a meeting's recording until it is captioned."""
    return folder() / meeting_id


@contextmanager
def announcing() -> Iterator[None]:
    """Serialise announcements across processes, so that each counts the space reserved by the one before."""
    with (folder() / ".announcing").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def require_room(size: int) -> None:
    """Raise DiskFull unless `size` more bytes leave DISK_RESERVE free."""
    if size > room():
        raise DiskFull


def room() -> int:
    """Return the bytes that uploads may still take."""
    return shutil.disk_usage(folder()).free - DISK_RESERVE


def create(meeting_id: str) -> None:
    """Create an empty file."""
    path(meeting_id).touch(mode=0o600)


def received(meeting_id: str) -> int:
    """Return the bytes that have arrived."""
    try:
        return path(meeting_id).stat().st_size
    except FileNotFoundError:
        return 0


def touched_at(meeting_id: str) -> datetime | None:
    """Return when the last byte arrived; None: no file."""
    try:
        return datetime.fromtimestamp(path(meeting_id).stat().st_mtime, UTC)
    except FileNotFoundError:
        return None


def append(meeting_id: str, chunk: bytes, *, offset: int, size: int, checksum: str = "") -> int:
    """Append a chunk; return the bytes that have arrived. The complete file is synced to disk.

    Args:
        size: Bytes of the whole file.
        checksum: Base64 of the chunk's SHA-256; empty: not sent.

    Raises:
        WrongOffset, ChunkDamaged, ChunkTooLarge, Occupied, DiskFull: nothing was written.
        FileNotFoundError: the file was never begun, or is deleted.
    """
    if len(chunk) > min(MAX_CHUNK, size - offset):
        raise ChunkTooLarge
    if checksum and not hmac.compare_digest(checksum, base64.b64encode(hashlib.sha256(chunk).digest()).decode()):
        raise ChunkDamaged
    with _alone(meeting_id) as file:
        end = file.seek(0, os.SEEK_END)
        if end != offset:
            raise WrongOffset(end)
        require_room(len(chunk))
        _write(file, chunk, end)
        if end + len(chunk) == size:
            os.fsync(file.fileno())
    return end + len(chunk)


def delete(meeting_id: str) -> None:
    path(meeting_id).unlink(missing_ok=True)


def _write(file: FileIO, chunk: bytes, end: int) -> None:
    """Write all or nothing: a partial chunk on a full disk is truncated."""
    try:
        rest = memoryview(chunk)
        while rest:
            rest = rest[file.write(rest) :]
    except OSError as error:
        file.truncate(end)
        raise DiskFull from error


@contextmanager
def _alone(meeting_id: str) -> Iterator[FileIO]:
    with path(meeting_id).open("r+b", buffering=0) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Occupied from error
        yield file
