"""One empty database with every migration applied, shared by all processes of a run."""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

FOLDER = "TESTS_RUN_FOLDER"
"""The variable with the folder that all processes of a run share."""


def share_folder() -> None:
    """Make the folder, unless the process that started this one has."""
    if FOLDER not in os.environ:
        os.environ[FOLDER] = tempfile.mkdtemp(prefix="parlance-run-")
        atexit.register(shutil.rmtree, os.environ[FOLDER], ignore_errors=True)


@cache
def migrated_database() -> Path:
    """Return the SQLite file. The first process that asks makes it, with five seconds of a core; the others wait."""
    share_folder()
    folder = Path(os.environ[FOLDER])
    database = folder / "parlance.sqlite3"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not database.exists():
            _migrate(folder / "being-made")
            (folder / "being-made" / database.name).rename(database)
    return database


def _migrate(data: Path) -> None:
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    environment["PARLANCE_DATA"] = str(data)
    subprocess.run(command, cwd=Path(__file__).resolve().parent.parent, env=environment, check=True, timeout=300)
