from __future__ import annotations

from typing import Any

import pytest

from meetings.forms import MeetingForm
from meetings.models import MAX_VOCABULARY


def filled_form(**changes: Any) -> MeetingForm:
    return MeetingForm({"title": "Planning", "language": "en", "allow_downloads": "on", **changes})


def test_title_and_language_are_enough() -> None:
    meeting = filled_form().save(commit=False)
    assert (meeting.title, meeting.language, meeting.languages, meeting.summary_every_s) == ("Planning", "en", [], None)
    assert meeting.allow_downloads
    assert not meeting.keep_recording


def test_spoken_language_is_not_offered_beside_itself() -> None:
    assert filled_form(languages=["pt", "en"]).save(commit=False).languages == ["pt"]


def test_summary_interval_is_kept_in_seconds() -> None:
    assert filled_form(summary_every_s="900").save(commit=False).summary_every_s == 900


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", "   "),
        ("title", "x" * 201),
        ("language", "klingon"),
        ("languages", ["xx"]),
        ("summary_every_s", "1"),
        ("vocabulary", "x" * (MAX_VOCABULARY + 1)),
    ],
)
def test_odd_values_are_refused_where_they_stand(field: str, value: object) -> None:
    form = filled_form(**{field: value})
    assert list(form.errors) == [field]


def test_detection_is_a_choice() -> None:
    assert filled_form(language="auto").is_valid()
