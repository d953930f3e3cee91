"""The benchmark of the search, on an hour instead of a hundred."""

from __future__ import annotations

import pytest

from benchmarks.search import LINES_AN_HOUR, WORDS_A_LINE, Words, measure, queries
from meetings.models import Meeting
from meetings.search.finding import find

pytestmark = pytest.mark.django_db


def test_an_hour_is_looked_through_and_deleted() -> None:
    figures = measure(1)
    assert figures["captions"] == LINES_AN_HOUR
    assert figures["found_ms"].keys() == queries(Words()).keys()
    assert not Meeting.objects.exists()


def test_what_is_looked_for_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else looking for nothing would be measured."""
    from benchmarks.search import fill

    words = Words()
    fill(0, words)
    asked = queries(words)
    assert len(find(asked["most_common_word"], limit=9)) == 9
    assert len(words.line().split()) == WORDS_A_LINE
