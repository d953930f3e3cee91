from __future__ import annotations

import pytest

from inference.translation.guard import (
    TranslationRejection,
    has_words,
    translation_rejection,
    without_invented_brackets,
)


@pytest.mark.parametrize(
    ("source", "translation", "reason"),
    [
        ("We start now.", "Começamos agora.", None),
        ("日本語", "-", TranslationRejection.EMPTY),
        ("Yes.", "", TranslationRejection.EMPTY),
        ("...", "...", None),
        ("Yes.", "Sim, e depois disso fomos todos juntos para casa.", TranslationRejection.LONG),
        ("私たちは月曜日に新しい計画を始めます。", "We are going to start the new plan on Monday.", None),
        ("We talked about the yellow plan.", "o plano " * 7, TranslationRejection.REPETITIVE),
        ("no no no no no no no no", "não não não não não não não não", None),
        ("We talk about the new plan.", "我们我们我们我们我们我们我们我们", TranslationRejection.REPETITIVE),
    ],
)
def test_nonsense_is_told_from_translations(source: str, translation: str, reason: TranslationRejection | None) -> None:
    assert translation_rejection(source, translation, spoken="en", target="pt") is reason


SCRIPT, COPY = TranslationRejection.SCRIPT, TranslationRejection.COPY


@pytest.mark.parametrize(
    ("pair", "source", "translation", "reason"),
    [
        ("en pt", "I did not say that.", "I did not say that.", COPY),
        ("en pt", "Uh-huh.", "Uh-huh.", COPY),
        ("en pt", "Uh-huh.", "Uh- huh.", COPY),
        ("en pt", "OKOKOK", "OKO KOK", COPY),
        ("en pt", "thank you, Ana Silva!", "Thank you Ana Silva", COPY),
        ("en pt", "今天天气很好", "今天天气很好", SCRIPT),
        ("en pt", "He said 你好 to me.", "Ele me disse 你好.", None),
        ("en pt", "Ana Silva", "Ana Silva", None),
        ("en pt", "Jean-Luc O'Neill", "Jean-Luc O'Neill", None),
        ("en pt", "OK, NASA 42, iPhone 3x", "OK, NASA 42, iPhone 3x", None),
        ("en pt", "https://example.org/a ana@example.org @ana", "https://example.org/a ana@example.org @ana", None),
        ("en ru", "Good morning, Ana.", "Good morning, Ana.", SCRIPT),
        ("en ru", "Good morning, Ana.", "Dobroe utro, Ana.", SCRIPT),
        ("en ru", "Good morning, Ana.", "Доброе утро, Ana.", None),
        ("en ru", "Microsoft Windows", "Microsoft Windows", None),
        ("en ja", "Good morning.", "おはようございます。", None),
        ("en ja", "Good morning.", "早上好", None),
        ("en ko", "Good morning.", "おはようございます。", SCRIPT),
        ("en zh", "今天天气很好", "今天天气很好", None),
        ("en ar", "Good morning.", "صباح الخير.", None),
        ("en sr", "Good morning.", "Dobro jutro.", None),
        ("es pt", "una casa", "una casa", None),
        ("es pt", "no me gusta nada esta casa", "no me gusta nada esta casa", COPY),
    ],
)
def test_a_copy_and_another_script_are_no_translation(
    pair: str, source: str, translation: str, reason: TranslationRejection | None
) -> None:
    spoken, target = pair.split()
    assert translation_rejection(source, translation, spoken=spoken, target=target) is reason


@pytest.mark.parametrize(("text", "words"), [("12 + 3 = 15", False), ("…", False), ("é", True), ("語", True)])
def test_words_have_letters(text: str, words: bool) -> None:
    assert has_words(text) is words


@pytest.mark.parametrize(
    ("source", "translation", "shown"),
    [
        ("Grizelda", "Grizelda (em inglês)", "Grizelda"),
        ("Zyphex", "Zyphex (", "Zyphex"),
        ("Two (or three) days", "Dois (ou três) dias", "Dois (ou três) dias"),
        ("What", "(o quê)", "(o quê)"),
    ],
)
def test_remarks_that_nobody_made_are_left_out(source: str, translation: str, shown: str) -> None:
    assert without_invented_brackets(source, translation) == shown
