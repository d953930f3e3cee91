"""A double for a database that is away: while it is, every connection of this process refuses, in every thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper


@contextmanager
def database_away() -> Iterator[None]:
    """Refuses as PostgreSQL does while it starts."""
    original = BaseDatabaseWrapper._cursor

    def refuse(self: BaseDatabaseWrapper, name: Any = None) -> Any:
        raise OperationalError("connection failed: the database system is starting up")

    BaseDatabaseWrapper._cursor = refuse  # type: ignore[method-assign]
    try:
        yield
    finally:
        BaseDatabaseWrapper._cursor = original  # type: ignore[method-assign]
