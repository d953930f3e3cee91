"""Versions beside each other: which code this is, and how it reads what other code has left in the broker.

A message may have fields that this version does not know, and kinds may be new. Fields are left out, kinds are ignored;
nothing that another version has written ends a loop or a page.
"""

from __future__ import annotations

import hashlib
from dataclasses import fields
from functools import cache
from typing import Any, TypeVar

from meetings.environment import BASE_DIR

T = TypeVar("T")

PACKAGES = ("inference", "meetings")


@cache
def code_version() -> str:
    """Return a digest of the Python code, the same in every process that runs it. About 10 ms, once a process."""
    digest = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((BASE_DIR / package).rglob("*.py")):
            digest.update(path.relative_to(BASE_DIR).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def from_message(kind: type[T], message: dict[str, Any]) -> T:
    """Make a dataclass from a message that any version may have written.

    Raises TypeError when a field is missing that has no default.
    """
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in message.items() if name in known})
