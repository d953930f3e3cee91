"""What the documents promise about names is compared with the code."""

from __future__ import annotations

import re
from pathlib import Path

from django.core.management import get_commands

from inference.models.optimization.flags import FLAGS
from meetings.environment import read_environment
from tests import REPOSITORY

DOCUMENT = (REPOSITORY / "docs" / "settings.md").read_text(encoding="utf-8")
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


class AskedVariables(dict[str, str]):
    """An empty environment that remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__(PARLANCE_DATA="/nowhere", SECRET_KEY="x")
        self.asked: set[str] = set()

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        self.asked.add(name)
        return super().get(name, default)


def documented(heading: str) -> set[str]:
    """First cells of the table under `heading`."""
    section = DOCUMENT.partition(heading)[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([A-Z0-9_]+)` \|", section, re.MULTILINE))


def test_every_setting_is_documented_and_every_documented_one_is_read() -> None:
    environment = AskedVariables()
    read_environment(environment)
    of_earlier_versions = {flag.variable for flag in FLAGS}
    assert documented("# Settings") == environment.asked - of_earlier_versions


def test_every_command_is_in_the_readme() -> None:
    ours = {name for name, application in get_commands().items() if application == "meetings"}
    assert ours == set(re.findall(r"^\| `manage\.py (\w+)", README, re.MULTILINE))


def test_every_path_that_the_readme_names_exists() -> None:
    paths = re.findall(r"\]\(([\w./-]+)\)", README)
    assert paths
    assert [path for path in paths if not (REPOSITORY / path).exists()] == []


def test_every_test_that_the_security_table_names_exists() -> None:
    table = (REPOSITORY / "docs" / "security.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", table)
    assert len(named) > 20
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (REPOSITORY / path).is_file() or f"def {name}" not in (REPOSITORY / path).read_text(encoding="utf-8")
    ]
    assert missing == []


def test_every_file_on_the_three_walks_exists_and_is_counted() -> None:
    page = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("## Files on the three walks")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (?:frame|caption|summary) \| ([^|]+) \| ([^|]+) \| (\d+) \|$", table, re.MULTILINE)
    assert len(rows) >= 10
    for where, files, number in rows:
        names = re.findall(r"`([\w.-]+)`", files)
        assert len(set(names)) == int(number), where
        assert [name for name in names if not walked(name, where).is_file()] == []


def walked(name: str, where: str) -> Path:
    """The file of a name in the table."""
    if where == "browser":
        return REPOSITORY / "static" / "js" / f"{name}.js"
    path = f"{name.removeprefix('inference.').replace('.', '/')}.py"
    layer = "inference" if (REPOSITORY / "inference" / path).is_file() else "meetings"
    return REPOSITORY / layer / path


def test_the_map_names_every_package() -> None:
    """And no more than that: it has at most fifteen lines."""
    working = README.partition("## Working on it")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| \[", working, re.MULTILINE)
    assert len(rows) <= 15
    packages = {path.parent.name for path in (REPOSITORY / "meetings").glob("*/__init__.py")}
    named = set(re.findall(r"\]\(meetings/(\w+)\)", working))
    assert packages - named == {"migrations", "templatetags"}
