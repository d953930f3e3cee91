"""What the settings make of the environment, in a process of its own: Django reads them once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import REPOSITORY


def check(data: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    settings = {**os.environ, "PARLANCE_DATA": str(data), **environment}
    return subprocess.run(
        command, cwd=REPOSITORY, env=settings, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_server_behind_tls_passes_the_check_for_deployment(tmp_path: Path) -> None:
    clean = check(tmp_path, PARLANCE_HTTPS="1", PARLANCE_PROXIES="127.0.0.1")
    assert clean.returncode == 0
    assert clean.stdout == "System check identified no issues (2 silenced).\n", "the two are what PARLANCE_HSTS chooses"


HEADERS = """
import importlib, os, sys
from django.test import Client, override_settings
from meetings import settings
for choice in ("", "host", "subdomains", "preload"):
    os.environ["PARLANCE_HSTS"] = choice
    read = importlib.reload(settings)
    with override_settings(**{name: getattr(read, name) for name in dir(read) if name.startswith("SECURE_HSTS_")}):
        print(Client().get("/healthz", secure=True)["Strict-Transport-Security"])
"""


def test_other_names_are_bound_to_https_when_it_is_asked_for(tmp_path: Path) -> None:
    command = [sys.executable, "manage.py", "shell", "--verbosity", "0", "--command", HEADERS]
    chosen = {"PARLANCE_DATA": str(tmp_path), "PARLANCE_HTTPS": "1", "ALLOWED_HOSTS": "testserver"}
    said = subprocess.run(
        command, cwd=REPOSITORY, env={**os.environ, **chosen}, capture_output=True, text=True, timeout=60, check=True
    )
    assert said.stdout.splitlines() == [
        "max-age=31536000",
        "max-age=31536000",
        "max-age=31536000; includeSubDomains",
        "max-age=31536000; includeSubDomains; preload",
    ]


def test_without_tls_the_check_says_what_is_missing(tmp_path: Path) -> None:
    plain = check(tmp_path)
    assert plain.returncode == 1
    assert sorted(part.partition(")")[0] for part in plain.stderr.split("(security.")[1:]) == [
        "W004", "W008", "W012", "W016",
    ]  # fmt: skip
