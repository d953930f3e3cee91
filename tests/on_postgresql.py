"""Runs the tests that face the database on a PostgreSQL of their own: `python -m tests.on_postgresql [OPTIONS]`.

Options are pytest's.

The others run on SQLite, and so do these when they are run by pytest alone.
"""

from __future__ import annotations

import os
import subprocess
import sys

from tests.live import REPOSITORY
from tests.postgres import running_cluster

FACING = (
    "accounts", "admin", "export/test_results.py", "live", "ops", "search", "store", "test_database_errors.py",
    "test_hostile_text.py", "test_roles.py", "test_silence.py", "web", "worker",
)  # fmt: skip
"""Of tests/meetings: what reads and writes rows."""


def main(options: list[str]) -> int:
    """Returns pytest's exit code."""
    paths = [f"tests/meetings/{name}" for name in FACING]
    command = [sys.executable, "-m", "pytest", *(options or ["-m", "not long"]), *paths]
    with running_cluster() as cluster:
        environment = {**os.environ, "PARLANCE_TEST_DATABASE_URL": cluster.url}
        return subprocess.run(command, cwd=REPOSITORY, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
