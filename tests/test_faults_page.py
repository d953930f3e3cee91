"""Every row of docs/faults.md and docs/field.md names tests that there are."""

from __future__ import annotations

import re

import pytest

from tests.conftest import REPOSITORY

NAMED = re.compile(r"(tests/[\w/]+\.py)?(?:::([\w:]+))?")


@pytest.mark.parametrize(("page", "least"), [("faults.md", 50), ("field.md", 5)])
def test_every_row_names_tests_that_there_are(page: str, least: int) -> None:
    rows = [row for row in (REPOSITORY / "docs" / page).read_text(encoding="utf-8").splitlines() if "tests/" in row]
    assert len(rows) > least
    missing = [f"{row[:60]}: {name}" for row in rows for name in _missing(row.rsplit("|", 2)[-2])]
    assert missing == []


def _missing(cell: str) -> list[str]:
    """Files and names that the cell mentions and that there are not; a name without a file is of the file before."""
    missing, source, path = [], "", ""
    for match in NAMED.finditer(cell):
        if match[1]:
            path = match[1]
            file = REPOSITORY / path
            source = file.read_text(encoding="utf-8") if file.exists() else ""
            missing += [] if source else [path]
        for name in (match[2] or "").split("::"):
            if name and not re.search(rf"\b(?:def|class) {name}\b", source):
                missing.append(f"{path}::{name}")
    return missing
