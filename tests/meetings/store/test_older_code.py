"""Code of the version before stores rows beside this one during a rolling upgrade: it does not know what is newer."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.db import connection, models
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone

from inference.summarization.summary import Summary
from meetings.models import Caption, Meeting, StageFailure, SummaryAttempt, Upload
from meetings.store import stage_failures, summaries, summary_attempts
from meetings.store.transcript import Lease, take_lease

NEWER: dict[type[models.Model], dict[str, Any]] = {
    Meeting: {
        "code_digest": "",
        "recorded_until": 0,
        "is_leased": False,
        "results_attempts": 0,
        "is_read_again": False,
    },
    Upload: {"missing_s": 0.0, "is_read_again": True},
}
"""Columns that db43a70 has not, with what a row that was stored by it holds there."""

MIGRATION = "0017_summary_attempts"


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


@pytest.mark.django_db
def test_attempts_at_summaries_are_moved_and_stay_for_the_version_before() -> None:
    later = timezone.now() + timedelta(seconds=60)
    before = {
        "nothing": (None, "", 0),
        "not now": (later, "", 0),
        "under way": (later, "under_way", 0),
        "failed": (later, "no_room", 2),
        "taken over": (None, "", 1),
    }
    for name, (not_before, trouble, failures) in before.items():
        meeting = Meeting.objects.create(pk=name, summary_not_before=not_before, summary_trouble=trouble)
        if failures:
            StageFailure.objects.create(meeting=meeting, stage="summary", attempts=failures, error="x")
    apps = MigrationLoader(connection).project_state(("meetings", MIGRATION)).apps
    import_module(f"meetings.migrations.{MIGRATION}").copy_attempts(apps, None)
    moved = {row.pk: (row.state, row.attempts, row.not_before, row.error) for row in SummaryAttempt.objects.all()}
    assert moved == {
        "not now": ("waiting", 0, later, ""),
        "under way": ("under_way", 0, later, ""),
        "failed": ("put_off", 2, later, "no_room"),
        "taken over": ("waiting", 1, None, ""),
    }
    kept = {row.pk: (row.summary_not_before, row.summary_trouble) for row in Meeting.objects.all()}
    assert kept == {name: (not_before, trouble) for name, (not_before, trouble, _) in before.items()}
    assert stage_failures.failures_of("failed") == {}, "a stage that this version does not know"


@pytest.mark.django_db
def test_a_request_for_a_summary_is_seen_by_both_versions_and_answered_once() -> None:
    meeting = Meeting.objects.create(title="Budget")
    Caption.objects.create(meeting=meeting, segment="1", seq=1, start=0.0, end=1.0, text="Hello.", language="en")
    row = Meeting.objects.filter(pk=meeting.pk)
    row.update(summary_asked_at=timezone.now(), summary_not_before=None, summary_trouble="")
    assert [one.meeting_id for one in summary_attempts.due([meeting.pk])] == [meeting.pk], "asked for there"
    row.update(summary_asked_at=None, summary_trouble="")
    assert summary_attempts.due([meeting.pk]) == [], "written there"
    summary_attempts.ask(meeting.pk)
    assert row.exclude(summary_asked_at=None).exists(), "asked for here"
    summaries.store(Lease(meeting.pk, take_lease(meeting.pk).lease_epoch), Summary(0.0, 0.5, "en", "Hello.", ()))
    assert row.filter(summary_asked_at=None).exists(), "written here"
