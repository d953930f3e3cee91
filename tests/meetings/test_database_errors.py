"""Against the database that the tests run on, and for PostgreSQL's own wherever they run."""

from __future__ import annotations

import psycopg.errors
import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, DataError, IntegrityError, connection

from meetings.database_errors import describe

SPOKEN = "what somebody said"


@pytest.mark.django_db
def test_a_refused_row_is_told_by_its_code_alone() -> None:
    User.objects.create(username=SPOKEN)
    with pytest.raises(IntegrityError) as raised:
        User.objects.create(username=SPOKEN)
    codes = {"sqlite": "SQLITE_CONSTRAINT_UNIQUE", "postgresql": "23505"}
    assert describe(raised.value) == f"IntegrityError ({codes[connection.vendor]})"


def test_a_message_of_postgresql_that_quotes_a_row_is_not_repeated() -> None:
    cause = psycopg.errors.NotNullViolation(f"null value in column\nDETAIL: Failing row contains ({SPOKEN}).")
    error = IntegrityError(str(cause))
    error.__cause__ = cause
    assert describe(error) == "IntegrityError (23502)"


def test_what_has_no_code_is_told_by_its_class() -> None:
    assert describe(DataError(SPOKEN)) == "DataError"
    assert describe(DatabaseError(SPOKEN)) == "DatabaseError"
