"""Timeouts of this thread's PostgreSQL connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections


def never_hurry(using: str, **_: Any) -> None:
    """Remove the timeouts before migrations, because building an index may take long."""
    connection: Any = connections[using]
    if connection.vendor == "postgresql":
        connection.answer_s = None
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")


@contextmanager
def answering_within(seconds: float) -> Iterator[None]:
    """Shorten the timeout within the block, for callers that prefer an early error."""
    connection: Any = connections["default"]
    if connection.vendor != "postgresql":
        yield
        return
    before, connection.answer_s = connection.answer_s, seconds
    try:
        yield
    finally:
        connection.answer_s = before
