"""What a deletion leaves to do, and when."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from meetings.models import Meeting, State, Tombstone
from meetings.store import tombstones

pytestmark = pytest.mark.django_db


@pytest.fixture
def tombstone() -> Tombstone:
    return Tombstone.objects.create(pk="gone")


def seconds_left() -> float:
    return (Tombstone.objects.get().not_before - timezone.now()).total_seconds()


@pytest.mark.parametrize(
    ("state", "is_ephemeral", "has_results"),
    [(State.ENDED, False, True), (State.ENDED, True, False), (State.LIVE, False, False)],
)
def test_files_are_looked_for_where_there_can_be_any(state: State, is_ephemeral: bool, has_results: bool) -> None:
    tombstones.add_tombstone(Meeting(title="Plan", state=state, is_ephemeral=is_ephemeral))
    assert Tombstone.objects.get().has_results == has_results


def test_whoever_deletes_has_some_seconds_to_do_it_alone() -> None:
    tombstones.add_tombstone(Meeting(title="Plan"))
    assert tombstones.due(limit=9) == []
    assert 0 < seconds_left() <= tombstones.FRESH.total_seconds()


def test_one_of_several_workers_looks_after_it(tombstone: Tombstone) -> None:
    [seen_by_one], [seen_by_another] = tombstones.due(limit=9), tombstones.due(limit=9)
    assert tombstones.claim(seen_by_one)
    assert not tombstones.claim(seen_by_another)
    assert tombstones.due(limit=9) == []
    assert Tombstone.objects.get().attempts == 1


def test_it_is_looked_after_once_more_when_nobody_writes_any_longer(tombstone: Tombstone) -> None:
    tombstones.record_outcome(tombstone)
    late = tombstones.LATE.total_seconds()
    assert late - 20 < seconds_left() <= late
    tombstone.created_at = timezone.now() - tombstones.LATE
    tombstones.record_outcome(tombstone)
    assert not Tombstone.objects.exists()


def test_pauses_grow(tombstone: Tombstone) -> None:
    pauses = []
    for attempts in range(9):
        tombstone.attempts = attempts
        pauses.append(round(tombstones.defer(tombstone).total_seconds()))
    assert pauses == [4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert seconds_left() > 280


def test_what_was_written_of_a_meeting_meanwhile_is_taken_away_now(tombstone: Tombstone) -> None:
    there = Meeting.objects.create(title="Plan")
    assert not tombstones.put_if_gone(there.pk)
    Tombstone.objects.update(not_before=timezone.now() + timedelta(hours=1), has_results=False)
    assert tombstones.put_if_gone("gone")
    assert tombstones.put_if_gone("long gone", has_results=True)
    assert {(each.pk, each.has_results) for each in tombstones.due(limit=9)} == {("gone", False), ("long gone", True)}
    assert tombstones.put_if_gone("gone", has_results=True)
    assert Tombstone.objects.get(pk="gone").has_results


def test_processes_of_the_version_before_leave_one_too() -> None:
    """They know the table by this name, and nothing but the key."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO meetings_discardedresults (meeting_id) VALUES ('old')")
    [left] = tombstones.due(limit=9)
    assert (left.pk, left.has_results, left.are_traces_erased, left.attempts) == ("old", True, False, 0)
