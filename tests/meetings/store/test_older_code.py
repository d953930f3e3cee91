"""Code of the version before stores rows beside this one during a rolling upgrade: it does not know newer columns."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection, models

from meetings.models import Meeting, Upload

NEWER: dict[type[models.Model], dict[str, Any]] = {
    Meeting: {"recorded_until": 0, "is_leased": False, "results_attempts": 0},
    Upload: {"missing_s": 0.0},
}
"""Columns that db43a70 has not, with what a row that was stored by it holds there."""


def store_as_before(row: models.Model) -> None:
    """Insert the row without the newer columns, as the statement of the version before does."""
    fields = [field for field in row._meta.concrete_fields if field.name not in NEWER[type(row)]]
    columns = ", ".join(connection.ops.quote_name(field.column) for field in fields)
    values = [field.get_db_prep_save(field.pre_save(row, add=True), connection) for field in fields]
    table = connection.ops.quote_name(row._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({columns}) VALUES ({', '.join(['%s'] * len(values))})", values)  # noqa: S608 - names of our own models


@pytest.mark.django_db
def test_rows_of_the_version_before_have_the_defaults_of_newer_columns() -> None:
    meeting = Meeting(title="Budget")
    store_as_before(meeting)
    store_as_before(Upload(meeting=meeting, name="a.wav", size=1))
    for kind, expected in NEWER.items():
        stored = kind._default_manager.get(pk=meeting.pk)
        assert {name: getattr(stored, name) for name in expected} == expected
