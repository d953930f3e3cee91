"""What is searched, and what a database's full text index answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from django.db import models
from django.db.models.expressions import RawSQL

from meetings.models import Caption, Summary, Translation


class Kind(IntEnum):
    """Where something is said."""

    CAPTION = 0
    TRANSLATION = 1
    SUMMARY = 2


TABLES: dict[Kind, type[models.Model]] = {
    Kind.CAPTION: Caption,
    Kind.TRANSLATION: Translation,
    Kind.SUMMARY: Summary,
}


@dataclass(frozen=True, slots=True)
class Match:
    """A row that says all the words."""

    kind: Kind
    pk: int
    said: str
    """All of it that is searched."""


class Index(Protocol):
    """A database's full text index. `terms` are what `terms_of` gives, at least one."""

    def rows(self, kind: Kind, terms: Sequence[str]) -> RawSQL:
        """A subquery of the keys of matching rows."""
        ...

    def ranked(self, terms: Sequence[str], *, limit: int) -> list[Match]:
        """The best matches first, of equal ones the newest."""
        ...

    def ensure(self) -> None:
        """Makes the index where it, or a part of it, is not there."""
        ...

    def erase(self) -> None:
        """Removes from the index's own storage what it keeps of rows that are deleted."""
        ...
