"""The audit of the pinned versions fails for a known vulnerability, and says when it could not ask."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import REPOSITORY


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    specification = importlib.util.spec_from_file_location("audit", REPOSITORY / ".ci" / "audit.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_every_pin_of_every_lock_is_asked_about(
    audit: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "requirements.lock").write_text("django==5.2.19 \\\n    --hash=sha256:00 \\\n    --hash=sha256:01\n")
    (tmp_path / "requirements-torch.lock").write_text("torch==2.13.0\n")
    monkeypatch.setattr(audit, "REPOSITORY", tmp_path)
    assert audit.pins().split() == ["torch==2.13.0", "django==5.2.19"]


CLEAN: dict[str, Any] = {"name": "django", "version": "5.2.19", "vulns": []}
VULNERABLE: dict[str, Any] = {"name": "daphne", "version": "4.2.2", "vulns": [{"id": "CVE-2026-44545"}]}
UNKNOWN: dict[str, Any] = {"name": "torch", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("dependencies", "code", "said"),
    [
        ([CLEAN, UNKNOWN], 0, "audit: 1 of 2 pinned versions asked about, 0 vulnerable\n"),
        ([CLEAN, VULNERABLE], 1, "audit: 2 of 2 pinned versions asked about, 1 vulnerable\n"),
        ([UNKNOWN], 0, "audit: NOT DONE, the package index has no database of vulnerabilities\n"),
    ],
)
def test_what_is_found_decides(
    audit: ModuleType, capsys: pytest.CaptureFixture[str], dependencies: list[dict[str, Any]], code: int, said: str
) -> None:
    assert audit.judge(dependencies) == code
    printed = capsys.readouterr()
    assert printed.out == said
    assert printed.err == ("daphne 4.2.2: CVE-2026-44545\n" if code else "")
