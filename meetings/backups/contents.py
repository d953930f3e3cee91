"""What a backup holds, by its names within the archive. Models are fetched again, and not among it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from meetings.environment import Environment

FORMAT = 1
"""Of the archive. A later version reads it as long as it knows what to do with it."""

MANIFEST = "manifest.json"
DATABASE = "database.sqlite3"
DUMP = "database.dump"
KEY_FILE = "secret_key"
LOGS = "broker/appendonlydir"
"""The embedded broker's append-only file: sound that is not captioned yet."""

FOLDERS = ("uploads", "recordings", "results")
"""Of PARLANCE_DATA, by the same names."""


class NoBackup(Exception):
    """The file is not one that this version can restore; the text says why."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The last member of the archive: one that has it is whole."""

    made_at: str
    """UTC, ISO 8601."""
    database: Literal["sqlite", "postgresql"]
    broker: Literal["embedded", "external"]
    format: int = FORMAT

    def packed(self) -> bytes:
        return json.dumps(asdict(self), indent=2).encode()


def manifest_from(packed: bytes) -> Manifest:
    """Raises NoBackup."""
    try:
        fields = json.loads(packed)
        told = Manifest(**fields)
    except (ValueError, TypeError) as error:
        raise NoBackup("It has no manifest that can be read.") from error
    if told.format != FORMAT:
        raise NoBackup(f"It is of format {told.format}, and this version reads {FORMAT}.")
    return told


def logs_of(environment: Environment) -> Path:
    return environment.data / LOGS
