"""Writes the pins of what is installed, as far as pyproject.toml leads to it, with the hashes of all files of each.

requirements.lock has what runs, requirements-dev.lock the tools of those who change it. requirements-torch.lock has
PyTorch without a hash: which build is wanted (CPU, CUDA) depends on the machine, and each brings libraries of its own.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parent.parent
PYTHONS = ("3.11", "3.12", "3.13")
"""What is installed on one of them must do on all; what another needs besides has to be installed before."""

TORCH = {"torch"}
OWN = {"pip", "setuptools"}
"""The environment's own, of the age of its Python; PyTorch asks for setuptools where there is none."""


class NotInstalled(Exception):
    """Something that is asked for has no version that could be pinned."""


def main() -> int:
    """0: written; 1: something that is asked for is not installed, which is said."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    try:
        runs = closure(project["dependencies"])
        tools = closure(project["optional-dependencies"]["dev"]) - runs
    except NotInstalled as error:
        print(error, file=sys.stderr)
        return 1
    for name, text in (
        ("requirements.lock", hashed(runs - TORCH)),
        ("requirements-dev.lock", hashed(tools)),
        ("requirements-torch.lock", "".join(pins(TORCH))),
    ):
        (REPOSITORY / name).write_text(text, encoding="utf-8")
    return 0


def closure(wanted: Iterable[str]) -> set[str]:
    """The canonical names of everything that the requirements need on Linux. Raises NotInstalled."""
    found: set[tuple[str, str]] = set()
    waiting = [one for line in wanted for one in _named(Requirement(line), extra="")]
    while waiting:
        name, extra = one = waiting.pop()
        if one in found:
            continue
        found.add(one)
        for line in _asked_by(name):
            waiting += _named(Requirement(line), extra=extra)
    return {name for name, _ in found} - OWN


def pins(names: Iterable[str]) -> list[str]:
    """A line each, local builds written as their public versions."""
    return [f"{name}=={distribution(name).version.partition('+')[0]}\n" for name in sorted(names)]


def hashed(names: Iterable[str]) -> str:
    """The pins with their hashes, those of the package index: of files for other machines too."""
    command = ["uv", "pip", "compile", "-", "--universal", "--python-version", PYTHONS[0], "--no-deps"]
    options = ["--generate-hashes", "--no-header", "--no-annotate", "--quiet"]
    uv = str(Path(sys.executable).with_name(command[0]))
    text = "".join(pins(names))
    done = subprocess.run([uv, *command[1:], *options], input=text, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def _named(requirement: Requirement, *, extra: str) -> list[tuple[str, str]]:
    """The requirement's name with each of its extras and without, if any Python that we run on needs it."""
    marker = requirement.marker
    if marker and not any(marker.evaluate(environment) for environment in _environments(extra)):
        return []
    return [(canonicalize_name(requirement.name), each) for each in ("", *requirement.extras)]


def _environments(extra: str) -> list[dict[str, str]]:
    here = {key: str(value) for key, value in default_environment().items()}
    return [{**here, "python_version": each, "python_full_version": f"{each}.0", "extra": extra} for each in PYTHONS]


def _asked_by(name: str) -> list[str]:
    try:
        return distribution(name).requires or []
    except PackageNotFoundError as error:
        raise NotInstalled(f"{name} is not installed, so there is no version to pin") from error


if __name__ == "__main__":
    sys.exit(main())
