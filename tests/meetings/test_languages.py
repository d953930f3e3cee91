from __future__ import annotations

import pytest

from meetings.languages import LANGUAGES, language_code


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("en", "en"), ("EN", "en"), ("en-US", "en"), ("en_us", "en"), ("english", "en"), (" English ", "en"),
        ("pt-BR", "pt"), ("Portuguese", "pt"), ("zh-Hant-TW", "zh"), ("yue-HK", "yue"), ("haitian creole", "ht"),
        ("nb-NO", "no"), ("fil", "tl"), ("iw", "he"), ("mandarin", "zh"), ("maori", "mi"), ("Māori", "mi"),
        ("zulu", "zu"), ("Auto", "auto"),
        ("klingon", None), ("", None), ("-", None), ("en_", "en"), ("e" * 100_000, None), ("日english", None),
    ],
)  # fmt: skip
def test_a_language_is_known_by_code_tag_and_name(said: str, code: str | None) -> None:
    assert language_code(said) == code


def test_every_language_is_known_by_its_own_code_and_name() -> None:
    assert {code: language_code(code) for code in LANGUAGES} == {code: code for code in LANGUAGES}
    assert {code: language_code(name) for code, name in LANGUAGES.items()} == {code: code for code in LANGUAGES}
