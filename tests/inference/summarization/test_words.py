from __future__ import annotations

import pytest

from inference.summarization.words import content_stems, is_content, is_number, stem, words_of


@pytest.mark.parametrize(
    ("one", "other", "language"),
    [
        ("price", "Prices", "en"),
        ("sell", "sold", "en"),
        ("selling", "sells", "en"),
        ("design", "designing", "en"),
        ("Ana", "Ana's", "en"),
        ("twenty", "20", "en"),
        ("12,50", "12.50", "en"),
        ("reunião", "reuniões", "pt"),
        ("botão", "botões", "pt"),
        ("vinte", "20", "pt"),
    ],
)
def test_forms_of_one_word_have_one_stem(one: str, other: str, language: str) -> None:
    assert stem(one, language) == stem(other, language)


@pytest.mark.parametrize(("one", "other"), [("price", "prize"), ("twelve", "twenty"), ("12.5", "125"), ("cat", "car")])
def test_other_words_have_other_stems(one: str, other: str) -> None:
    assert stem(one, "en") != stem(other, "en")


def test_a_hyphen_parts_words_and_an_apostrophe_does_not() -> None:
    assert words_of("It's user-friendly: 12.50, 3G") == ["It's", "user", "friendly", "12.50", "3G"]


def test_function_words_carry_no_content() -> None:
    assert content_stems("We are going to sell the remote on Monday", "en") == ["sell", "remot", "monday"]
    assert content_stems("Nós vamos vender o controle", "pt") == [stem("vender", "pt"), stem("controle", "pt")]


def test_a_language_without_a_list_counts_every_word_as_it_is_written() -> None:
    assert is_content("und", "de")
    assert stem("Häuser", "de") == "häuser"


@pytest.mark.parametrize(("word", "expected"), [("12", True), ("twelve", True), ("3rd", True), ("dozen", False)])
def test_numbers(word: str, expected: bool) -> None:
    assert is_number(word, "en") is expected
