"""Consistent copies of the database: SQLite by its online backup, PostgreSQL by pg_dump."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from django.db import connection

WAIT_S = 20.0
SAID_CHARACTERS = 300


class DatabaseNotCopied(Exception):
    """The database could not be copied or loaded; the message says why."""


def is_sqlite() -> bool:
    return connection.vendor == "sqlite"


def sqlite_path() -> Path:
    return Path(str(connection.settings_dict["NAME"]))


def copy_sqlite(target: Path) -> None:
    """Copy the database to `target` as one consistent read, without blocking writers. Raises DatabaseNotCopied."""
    source = sqlite_path()
    if not source.exists():
        raise DatabaseNotCopied(f"There is no database at {source}.")
    address = f"file:{quote(str(source))}?mode=ro"
    try:
        with (
            closing(sqlite3.connect(address, uri=True, timeout=WAIT_S)) as read,
            closing(sqlite3.connect(target)) as written,
        ):
            read.backup(written)
            written.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        raise DatabaseNotCopied(f"The database could not be copied: {error}.") from error


def check_sqlite(path: Path) -> None:
    """Raise DatabaseNotCopied unless the file is an undamaged database of Parlance."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True)) as read:
            [verdict] = read.execute("PRAGMA quick_check(1)").fetchone()
            read.execute("SELECT count(*) FROM meetings_meeting").fetchone()
    except sqlite3.Error as error:
        raise DatabaseNotCopied(f"The database within is damaged: {error}.") from error
    if verdict != "ok":
        raise DatabaseNotCopied(f"The database within is damaged: {verdict}.")


def dump_postgresql(target: Path) -> None:
    """Dump the database to `target`. Raises DatabaseNotCopied."""
    _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", "--file", str(target))


def load_postgresql(dump: Path) -> None:
    """Load into an empty database. Raises DatabaseNotCopied, after which it is still empty."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('django_migrations')")
        if cursor.fetchone() != (None,):
            raise DatabaseNotCopied("The database that DATABASE_URL names is not empty; restore into an empty one.")
    connection.close()
    options = ("--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges")
    _run("pg_restore", *options, database="--dbname", last=str(dump))


def _run(program: str, *options: str, database: str = "", last: str = "") -> None:
    """Run a PostgreSQL tool against our database, without its password on the command line."""
    path = shutil.which(program)
    if path is None:
        raise DatabaseNotCopied(
            f"DATABASE_URL is PostgreSQL, and {program} is not installed (Debian: apt-get install postgresql-client)."
        )
    [_, *where], secrets = connection.client.settings_to_cmd_args_env(connection.settings_dict, [])
    name = where.pop()
    command = [path, *options, *where, *([database] if database else []), name, *([last] if last else [])]
    done = subprocess.run(
        command, env={**os.environ, **(secrets or {})}, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[0][:SAID_CHARACTERS]
        raise DatabaseNotCopied(f"{program} could not do it: {said}")
