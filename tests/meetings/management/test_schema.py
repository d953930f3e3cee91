"""Commands on a database without tables, as separate processes: they migrate it, or say what to run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

MIGRATE = """
import django; django.setup()
from meetings.management.commands.live import Command
from meetings.management.schema import has_pending_migrations
command = Command()
before = has_pending_migrations()
command._migrate()
print(before, has_pending_migrations())
"""


def run(data: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """With a data folder that holds nothing."""
    ours = {"PARLANCE_DATA": str(data), "DJANGO_SETTINGS_MODULE": "meetings.settings"}
    environment = {**os.environ, **ours, **variables}
    environment.pop("DATABASE_URL", None)
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_live_brings_an_empty_database_up_to_date(tmp_path: Path) -> None:
    done = run(tmp_path, "-c", MIGRATE)
    assert done.stdout.splitlines() == ["Bringing the database up to date.", "True False"]


@pytest.mark.parametrize("command", ["web", "inference"])
def test_a_process_of_its_own_says_what_to_run(tmp_path: Path, command: str, whisper_base: Path) -> None:
    variables = {"PARLANCE_MODELS_DIR": str(whisper_base.parent), "PARLANCE_PROFIL": "gpu"}
    done = run(tmp_path, "manage.py", command, **variables)
    assert (done.returncode, done.stderr.splitlines()) == (
        2,
        [
            "PARLANCE_PROFIL is not a setting. Did you mean PARLANCE_PROFILE?",
            "The database is not set up for this version; run `manage.py migrate`.",
        ],
    )
