"""Backup of a running installation: one archive, with everything that existed when it began.

The order guarantees this. First files are linked, so that none can disappear. Then the audio waiting in the broker is
copied, then the database. The database may only be ahead of that audio, which it does not need once captioned; behind
it, it would look for audio that the broker has trimmed. Finally, new files are linked.
"""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from meetings.backups import append_only, contents, databases, links
from meetings.environment import Environment


class TargetTaken(Exception):
    """A file of this name exists; backups are never overwritten."""


@dataclass(frozen=True, slots=True)
class Saved:
    path: Path
    size: int


def save(environment: Environment, target: Path) -> Saved:
    """Write the archive; if `target` is a folder, under a generated name.

    Raises:
        DatabaseNotCopied, Unsteady, TargetTaken, OSError.
    """
    now = datetime.now(UTC)
    path = target / f"parlance-{now:%Y%m%d-%H%M%S}.tar" if target.is_dir() else target
    if path.exists():
        raise TargetTaken(f"{path} is there already; name another file.")
    if path.resolve().is_relative_to(environment.data.resolve()):
        raise TargetTaken(f"{path} is in PARLANCE_DATA ({environment.data}); name a file outside of it.")
    with _staging(environment.data) as staging:
        _link_files(environment.data, staging)
        logs = [] if environment.broker_url else append_only.hold(contents.logs_of(environment), staging)
        database = _copy_database(staging)
        _link_files(environment.data, staging)
        manifest = contents.BackupManifest(
            made_at=now.isoformat(timespec="seconds"),
            database="sqlite" if databases.is_sqlite() else "postgresql",
            broker="external" if environment.broker_url else "embedded",
        )
        with _unfinished(path) as file, tarfile.open(fileobj=file, mode="w") as archive:
            _add_file(archive, database.name, database)
            for held in logs:
                _add_file(archive, f"{contents.LOGS}/{held.path.name}", held.path, size=held.size)
            if (environment.data / contents.KEY_FILE).exists():
                _add_file(archive, contents.KEY_FILE, environment.data / contents.KEY_FILE)
            for link in sorted(_files(staging)):
                _add_file(archive, str(link.relative_to(staging)), link)
            _add(archive, contents.BACKUP_MANIFEST, io.BytesIO(manifest.packed()), len(manifest.packed()), now)
    return Saved(path, path.stat().st_size)


@contextmanager
def _staging(data: Path) -> Iterator[Path]:
    """Yield a folder on the file system of the data. The next backup removes folders of killed processes."""
    for left in data.glob(".backup-*"):
        if not _is_alive(int(left.name.split("-")[1])):
            shutil.rmtree(left, ignore_errors=True)
    place = Path(tempfile.mkdtemp(prefix=f".backup-{os.getpid()}-", dir=data))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


@contextmanager
def _unfinished(path: Path) -> Iterator[io.BufferedWriter]:
    """Yield a file for its owner only; it gets its name when it is complete and synced."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.rename(name, path)
    finally:
        Path(name).unlink(missing_ok=True)


def _copy_database(staging: Path) -> Path:
    if databases.is_sqlite():
        databases.copy_sqlite(staging / contents.DATABASE_FILE)
        return staging / contents.DATABASE_FILE
    databases.dump_postgresql(staging / contents.DUMP)
    return staging / contents.DUMP


def _link_files(data: Path, staging: Path) -> None:
    """Link new files. Unfinished ones have names that start with a dot, or end in `.partial`."""
    for path in _files(data):
        link = staging / path.relative_to(data)
        link.parent.mkdir(parents=True, exist_ok=True)
        try:
            links.hold(path, link)
        except (FileExistsError, FileNotFoundError):
            continue


def _files(root: Path) -> Iterator[Path]:
    for folder in contents.SAVED_FOLDERS:
        for path in (root / folder).rglob("*"):
            if path.is_file() and not path.is_symlink() and not path.name.startswith(".") and path.suffix != ".partial":
                yield path


def _add_file(archive: tarfile.TarFile, name: str, path: Path, *, size: int | None = None) -> None:
    """Add the file with its current or given size, because it may be growing."""
    with path.open("rb") as file:
        stat = os.fstat(file.fileno())
        _add(archive, name, file, stat.st_size if size is None else size, datetime.fromtimestamp(stat.st_mtime, UTC))


def _add(archive: tarfile.TarFile, name: str, content: io.BufferedIOBase, size: int, changed_at: datetime) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, int(changed_at.timestamp())
    archive.addfile(member, content)
