from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.speech.language_mismatch import ENOUGH, SURE_LANGUAGE, UTTERANCES, LanguageMismatch
from inference.types import LanguageHeard


def heard(language: str, probability: float = 0.95) -> LanguageHeard:
    return LanguageHeard("000000000000", language, probability)


@pytest.mark.parametrize(
    ("spoken", "language"),
    [
        ("", None),
        ("pt pt", None),
        ("pt pt pt", "pt"),
        ("pt en pt pt", "pt"),
        ("pt pt en en", None),
        ("pt pt pt en", "pt"),
        ("pt pt pt en en", None),
        ("pt es pt es", None),
        ("pt pt es pt", "pt"),
        ("en en en en pt pt pt", "pt"),
    ],
)
def test_three_of_the_last_four_make_a_doubt(spoken: str, language: str | None) -> None:
    doubt = LanguageMismatch("en")
    for word in spoken.split():
        doubt.take(heard(word))
    assert doubt.language == language


def test_an_unsure_utterance_counts_for_the_language_that_is_set() -> None:
    doubt = LanguageMismatch("en")
    for probability in (0.9, 0.9, 0.79, 0.79):
        doubt.take(heard("pt", probability))
    assert doubt.language is None
    for _ in range(3):
        doubt.take(heard("pt", 0.8))
    assert doubt.language == "pt"


def test_only_languages_that_are_considered_are_asked_about() -> None:
    doubt = LanguageMismatch("en", considered=("en", "pt"))
    for _ in range(4):
        doubt.take(heard("gl"))
    assert doubt.language is None
    for _ in range(3):
        doubt.take(heard("pt"))
    assert doubt.language == "pt"


def test_a_change_of_settings_begins_anew() -> None:
    doubt = LanguageMismatch("en")
    for _ in range(3):
        doubt.take(heard("pt"))
    doubt.configure("en")
    assert doubt.language is None
    for _ in range(2):
        doubt.take(heard("pt"))
    assert doubt.language is None


def test_a_language_that_is_detected_is_not_doubted() -> None:
    doubt = LanguageMismatch(None)
    for _ in range(4):
        doubt.take(heard("pt"))
    assert doubt.language is None


utterances = st.lists(st.tuples(st.sampled_from(("en", "pt", "es")), st.floats(0.0, 1.0)), max_size=12)


@given(utterances)
def test_a_doubt_is_what_most_of_the_last_utterances_surely_are(spoken: list[tuple[str, float]]) -> None:
    doubt = LanguageMismatch("en")
    for language, probability in spoken:
        doubt.take(heard(language, probability))
    sure = [
        language for language, probability in spoken[-UTTERANCES:] if probability >= SURE_LANGUAGE and language != "en"
    ]
    most = max(set(sure), key=sure.count, default="en")
    assert doubt.language == (most if sure.count(most) >= ENOUGH else None)
