"""The locks hold all that is asked for, on each Python that is supported, and nothing without a hash but PyTorch."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from types import ModuleType
from typing import Any

import pytest
from packaging.requirements import Requirement

from tests.conftest import REPOSITORY

PIN = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[^\s;]+)", re.MULTILINE)
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}\b")
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def lock() -> ModuleType:
    specification = importlib.util.spec_from_file_location("lock", REPOSITORY / ".ci" / "lock.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def read(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def names(text: str) -> set[str]:
    return {pin["name"] for pin in PIN.finditer(text)}


def test_every_pin_has_hashes_but_pytorch() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        pinned = re.split(r"\n(?=\S)", read(name).strip())
        assert [one for one in pinned if not (PIN.match(one) and HASH.search(one))] == []
    assert PIN.sub("", read("requirements-torch.lock")).split() == []
    assert names(read("requirements-torch.lock")) == {"torch"}


def test_locks_hold_what_the_project_asks_for_and_all_that_this_needs(lock: ModuleType) -> None:
    runs = lock.closure(PROJECT["dependencies"])
    assert names(read("requirements.lock")) == runs - {"torch"}
    assert names(read("requirements-dev.lock")) == lock.closure(PROJECT["optional-dependencies"]["dev"]) - runs


def test_pins_are_versions_that_the_project_takes(lock: ModuleType) -> None:
    texts = [path.read_text(encoding="utf-8") for path in REPOSITORY.glob("requirements*.lock")]
    pinned = {pin["name"]: pin["version"] for text in texts for pin in PIN.finditer(text)}
    asked = map(Requirement, [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]])
    assert [str(one) for one in asked if not one.specifier.contains(pinned[lock.canonicalize_name(one.name)])] == []


def test_what_another_python_needs_must_be_installed_to_be_pinned(lock: ModuleType, monkeypatch: Any) -> None:
    asked = {"here": ['elsewhere; python_version >= "3.13"', 'gone; python_version < "3.11"', 'other; extra == "more"']}
    monkeypatch.setattr(lock, "_asked_by", lambda name: asked.get(name, []))
    assert lock.closure(["here"]) == {"here", "elsewhere"}
    assert lock.closure(["Here[more]"]) == {"here", "elsewhere", "other"}
    monkeypatch.undo()
    with pytest.raises(lock.NotInstalled, match="no-such-package is not installed"):
        lock.closure(["no-such-package"])
