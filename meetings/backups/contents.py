"""Names of the members of a backup archive. Models are not included; they are fetched again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from meetings.environment import Environment

BACKUP_FORMAT = 1
"""Version of the archive format; archives of another version are refused."""

BACKUP_MANIFEST = "manifest.json"
DATABASE_FILE = "database.sqlite3"
DUMP = "database.dump"
KEY_FILE = "secret_key"
LOGS = "broker/appendonlydir"
"""The embedded broker's append-only file: audio that is not captioned yet."""

SAVED_FOLDERS = ("uploads", "recordings", "results")
"""Folders of PARLANCE_DATA, with the same names in the archive."""


class NoBackup(Exception):
    """This version cannot restore the file; the message says why."""


@dataclass(frozen=True, slots=True)
class BackupManifest:
    """The last member of the archive, so an archive that contains it is complete."""

    made_at: str
    """UTC, ISO 8601."""
    database: Literal["sqlite", "postgresql"]
    broker: Literal["embedded", "external"]
    format: int = BACKUP_FORMAT

    def packed(self) -> bytes:
        return json.dumps(asdict(self), indent=2).encode()


def manifest_from(packed: bytes) -> BackupManifest:
    """Parse the manifest. Raises NoBackup."""
    try:
        fields = json.loads(packed)
        told = BackupManifest(**fields)
    except (ValueError, TypeError) as error:
        raise NoBackup("It has no manifest that can be read.") from error
    if told.format != BACKUP_FORMAT:
        raise NoBackup(f"It is of format {told.format}, and this version reads {BACKUP_FORMAT}.")
    return told


def logs_of(environment: Environment) -> Path:
    return environment.data / LOGS
