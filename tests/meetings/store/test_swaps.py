from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from meetings.models import Swap
from meetings.store.swaps import Absence, absences

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def swapped(direction: str, at_s: float, seconds: float, *, worker: str = "w1", outcome: str = "completed") -> None:
    """A swap that ended `at_s` seconds past noon."""
    row = Swap.objects.create(
        worker=worker, direction=direction, outcome=outcome, seconds=seconds, gibibytes=0.5, gigabytes_per_s=1.0
    )
    Swap.objects.filter(pk=row.pk).update(created_at=NOON + timedelta(seconds=at_s))


def between(start_s: float, end_s: float) -> Absence:
    return Absence(NOON + timedelta(seconds=start_s), NOON + timedelta(seconds=end_s))


def test_models_are_away_from_leaving_until_being_back() -> None:
    swapped("to summarization", 2, 2.0)
    swapped("to summarization", 9, 1.0, worker="w2")
    swapped("to transcription", 30, 4.0)
    swapped("to transcription", 40, 4.0, worker="w2")
    assert absences(Swap.objects.all()) == [between(0, 30), between(8, 40)]


def test_a_swap_that_failed_was_away_itself_and_a_way_without_its_other_half_counts_alone() -> None:
    swapped("to transcription", 5, 4.0)
    swapped("to summarization", 20, 9.0, outcome="failed")
    swapped("to summarization", 30, 9.0, outcome="busy")
    swapped("to summarization", 40, 2.0)
    assert absences(Swap.objects.all()) == [between(1, 5), between(11, 20)]
