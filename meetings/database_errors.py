"""What may be said of a database's error: never its message, which can hold what somebody said."""

from __future__ import annotations

import traceback
from types import TracebackType

from django.db import DatabaseError

DRIVERS = ("psycopg", "sqlite3")
"""Packages whose errors Django's are raised from. They are known by name, so that neither is imported for this."""

CAUSED = "\nThe above exception was the direct cause of the following exception:\n\n"
MEANWHILE = "\nDuring handling of the above exception, another exception occurred:\n\n"


def describe(error: BaseException) -> str:
    """Return the class and, where the database gives one, the SQLSTATE or the name of SQLite's code.

    PostgreSQL quotes values and whole rows in its messages, so logs get this instead.
    """
    for cause in _chain(error):
        code = getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None)
        if code:
            return f"{type(error).__name__} ({code})"
    return type(error).__name__


def _chain(error: BaseException | None) -> list[BaseException]:
    """The error and what it was raised from: Django's wraps the driver's, which knows the code."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__
    return found


def format_traceback(
    exc_info: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
) -> str:
    """Return the traceback of an error and of what led to it, database errors as `describe` tells them."""
    return "" if exc_info[1] is None else _formatted(exc_info[1], frozenset()).rstrip("\n")


def _formatted(error: BaseException, told: frozenset[int]) -> str:
    earlier, link = (error.__cause__, CAUSED) if error.__cause__ is not None else (error.__context__, MEANWHILE)
    is_hidden = error.__cause__ is None and error.__suppress_context__
    before = ""
    if earlier is not None and not is_hidden and id(earlier) not in told:
        before = _formatted(earlier, told | {id(error)}) + link
    lines = ["Traceback (most recent call last):\n", *traceback.format_tb(error.__traceback__)]
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    last = [f"{kind}: {describe(error)}\n"] if _is_of_database(error) else traceback.format_exception_only(error)
    return before + "".join([*lines, *last])


def _is_of_database(error: BaseException) -> bool:
    return isinstance(error, DatabaseError) or any(
        kind.__module__.partition(".")[0] in DRIVERS for kind in type(error).__mro__
    )
