"""The interface of a database's full text index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from django.db import models
from django.db.models.expressions import RawSQL

from meetings.models import Caption, Summary, Translation


class TextKind(IntEnum):
    """The kind of row that is searched."""

    CAPTION = 0
    TRANSLATION = 1
    SUMMARY = 2


TABLES: dict[TextKind, type[models.Model]] = {
    TextKind.CAPTION: Caption,
    TextKind.TRANSLATION: Translation,
    TextKind.SUMMARY: Summary,
}


@dataclass(frozen=True, slots=True)
class Match:
    """A row that matches all words."""

    kind: TextKind
    pk: int
    said: str
    """The whole searched text of the row."""


class Index(Protocol):
    """A database's full text index. `terms` are at least one result of `terms_of`."""

    def rows(self, kind: TextKind, terms: Sequence[str]) -> RawSQL:
        """Return a subquery of the keys of matching rows."""
        ...

    def ranked(self, terms: Sequence[str], *, limit: int) -> list[Match]:
        """Return the best matches first, newest first among equals."""
        ...

    def ensure(self) -> None:
        """Create the index if it, or a part of it, is missing."""
        ...

    def erase(self) -> None:
        """Remove data of deleted rows from the index's own storage."""
        ...
