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
    assert translation_rejection(source, translation) is reason


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
