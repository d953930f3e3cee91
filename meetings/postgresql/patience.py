"""How long this thread waits for the database's answers, where that is PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections


def never_hurry(using: str, **_: Any) -> None:
    """Before migrations: to build an index takes as long as it takes."""
    connection: Any = connections[using]
    if connection.vendor == "postgresql":
        connection.answer_s = None
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")


@contextmanager
def answering_within(seconds: float) -> Iterator[None]:
    """For who would rather know soon that nothing answers."""
    connection: Any = connections["default"]
    if connection.vendor != "postgresql":
        yield
        return
    before, connection.answer_s = connection.answer_s, seconds
    try:
        yield
    finally:
        connection.answer_s = before
