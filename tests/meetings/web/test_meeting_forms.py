from __future__ import annotations

from typing import Any

import pytest

from meetings.models import MAX_VOCABULARY
from meetings.web.meeting_forms import MeetingForm


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
        ("languages", ["es"]),
        ("spoken_languages", ["xx"]),
        ("expected_speakers", "0"),
        ("expected_speakers", "21"),
        ("summary_every_s", "1"),
        ("vocabulary", "x" * (MAX_VOCABULARY + 1)),
    ],
)
def test_odd_values_are_refused_where_they_stand(field: str, value: object) -> None:
    form = filled_form(**{field: value})
    assert list(form.errors) == [field]


def test_detection_is_a_choice_and_may_be_told_among_which() -> None:
    meeting = filled_form(language="auto", spoken_languages=["en", "pt"], languages=["pt", "en"]).save(commit=False)
    assert (meeting.language, meeting.spoken_languages, meeting.languages) == ("auto", ["en", "pt"], ["pt", "en"])


def test_where_the_language_is_stated_nothing_is_detected() -> None:
    assert filled_form(language="pt", spoken_languages=["en", "pt"]).save(commit=False).spoken_languages == []


def test_number_of_speakers_may_be_told() -> None:
    assert filled_form().save(commit=False).expected_speakers is None
    assert filled_form(expected_speakers="3").save(commit=False).expected_speakers == 3


def test_only_what_can_be_translated_is_offered() -> None:
    form = filled_form()
    assert [code for code, _ in form["languages"].field.choices] == ["en", "pt"]
    assert form["languages"].help_text == "What the starter models can translate."


def test_a_language_that_cannot_be_translated_is_said_once() -> None:
    form = filled_form(language="es", languages=["en", "pt"])
    assert form.errors == {"languages": ["Spanish is not available with the starter models."]}
