"""What the processes of a run share: made by the first that asks, while the others wait."""

from __future__ import annotations

import atexit
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = "TESTS_RUN_FOLDER"
"""The variable with the folder that all processes of a run share."""


def share_folder() -> None:
    """Make the folder, unless the process that started this one has."""
    if FOLDER not in os.environ:
        os.environ[FOLDER] = tempfile.mkdtemp(prefix="parlance-run-")
        atexit.register(shutil.rmtree, os.environ[FOLDER], ignore_errors=True)


def once_a_run(name: str, make: Callable[[], Any]) -> Any:
    """Return what `make` returned in the first process that asked for `name`: a value that JSON can hold."""
    with _locked(name) as folder:
        made = folder / f"{name}.json"
        if not made.exists():
            made.write_text(json.dumps(make()), encoding="utf-8")
        return json.loads(made.read_text(encoding="utf-8"))


@cache
def migrated_database() -> Path:
    """Return an SQLite file with every migration applied, which takes five seconds of a core."""
    with _locked("database") as folder:
        database = folder / "parlance.sqlite3"
        if not database.exists():
            _migrate(folder / "being-made")
            (folder / "being-made" / database.name).rename(database)
    return database


@contextmanager
def _locked(name: str) -> Iterator[Path]:
    share_folder()
    folder = Path(os.environ[FOLDER])
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def _migrate(data: Path) -> None:
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    environment["PARLANCE_DATA"] = str(data)
    subprocess.run(command, cwd=Path(__file__).resolve().parent.parent, env=environment, check=True, timeout=300)
