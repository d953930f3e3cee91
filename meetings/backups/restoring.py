"""Restoring a backup into an empty folder and an empty database."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from meetings.backups import contents, databases
from meetings.backups.contents import BackupManifest, NoBackup
from meetings.environment import Environment
from meetings.supervisor import data_folder_lock


class RestoreRefused(Exception):
    """Existing data would be lost, or the settings do not match the backup; the message says which."""


def restore(environment: Environment, archive: Path) -> BackupManifest:
    """Restore the archive; an SQLite database comes last, so that an interrupted restore does not look complete.

    Raises:
        AlreadyRunning, RestoreRefused, NoBackup, DatabaseNotCopied, OSError.
    """
    with data_folder_lock(environment.data):
        _refuse_what_is_there(environment)
        with _unpacked(archive, environment.data) as (manifest, staging):
            _refuse_what_does_not_fit(environment, manifest)
            if manifest.database == "sqlite":
                databases.check_sqlite(staging / contents.DATABASE_FILE)
            else:
                databases.load_postgresql(staging / contents.DUMP)
            _move(environment, staging)
    return manifest


def _refuse_what_is_there(environment: Environment) -> None:
    places = [environment.data / folder for folder in (*contents.SAVED_FOLDERS, contents.LOGS)]
    there = [place for place in places if place.is_dir() and any(place.iterdir())]
    if databases.is_sqlite() and databases.sqlite_path().exists():
        there.append(databases.sqlite_path())
    if there:
        raise RestoreRefused(f"{there[0]} is not empty; restore into a PARLANCE_DATA in which there is nothing yet.")


def _refuse_what_does_not_fit(environment: Environment, manifest: BackupManifest) -> None:
    if (manifest.database == "sqlite") != databases.is_sqlite():
        kind = "SQLite: unset DATABASE_URL" if manifest.database == "sqlite" else "PostgreSQL: set DATABASE_URL"
        raise RestoreRefused(f"The backup is of {kind} to restore it.")
    if manifest.broker == "embedded" and environment.broker_url:
        raise RestoreRefused("The backup holds sound of the embedded broker: unset REDIS_URL to restore it.")


@contextmanager
def _unpacked(archive: Path, data: Path) -> Iterator[tuple[BackupManifest, Path]]:
    """Unpack the archive into a temporary folder within `data`. Raises NoBackup, OSError."""
    staging = Path(tempfile.mkdtemp(prefix=".restore-", dir=data))
    try:
        with tarfile.open(archive) as packed:
            for member in packed:
                _unpack(packed, member, staging)
        if not (staging / contents.BACKUP_MANIFEST).exists():
            raise NoBackup(f"{archive} is no backup of Parlance.")
        yield contents.manifest_from((staging / contents.BACKUP_MANIFEST).read_bytes()), staging
    except tarfile.TarError as error:
        raise NoBackup(f"{archive} is no backup, or not a whole one.") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _unpack(packed: tarfile.TarFile, member: tarfile.TarInfo, staging: Path) -> None:
    """Accept only regular files with names of a backup, because the archive may be malicious."""
    path = PurePosixPath(member.name)
    known = member.name in (contents.BACKUP_MANIFEST, contents.DATABASE_FILE, contents.DUMP, contents.KEY_FILE) or any(
        member.name.startswith(f"{folder}/") for folder in (*contents.SAVED_FOLDERS, contents.LOGS)
    )
    content = packed.extractfile(member) if member.isreg() else None
    if not known or ".." in path.parts or content is None:
        raise NoBackup(f"The archive holds {member.name!r}, which is not of a backup.")
    target = staging / path
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:
        shutil.copyfileobj(content, file)
        file.flush()
        os.fsync(file.fileno())
    os.chmod(target, 0o600)


def _move(environment: Environment, staging: Path) -> None:
    """Move the database last: without it, the folder counts as empty."""
    for name in (*contents.SAVED_FOLDERS, contents.LOGS):
        if (staging / name).exists():
            place = environment.data / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if place.exists():
                place.rmdir()
            os.rename(staging / name, place)
    if (staging / contents.KEY_FILE).exists():
        os.replace(staging / contents.KEY_FILE, environment.data / contents.KEY_FILE)
    if (staging / contents.DATABASE_FILE).exists():
        databases.sqlite_path().parent.mkdir(parents=True, exist_ok=True)
        shutil.move(staging / contents.DATABASE_FILE, databases.sqlite_path())
