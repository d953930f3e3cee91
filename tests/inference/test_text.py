from __future__ import annotations

import re
from pathlib import Path

import pytest

from inference.text import UNSPACED, join_passages, join_texts


@pytest.mark.parametrize(
    ("texts", "language", "joined"),
    [
        (["Sim.", "", "Não."], "pt", "Sim. Não."),
        (["はい。", "", "いいえ。"], "ja", "はい。いいえ。"),
        (["今天天气很好。", "我们去公园散步。"], "zh", "今天天气很好。我们去公园散步。"),
        (["สวัสดี", "ครับ"], "th", "สวัสดีครับ"),
        (["네.", "아니요."], "ko", "네. 아니요."),
    ],
)
def test_texts_follow_each_other_as_the_language_is_written(texts: list[str], language: str, joined: str) -> None:
    assert join_texts(texts, language) == joined
    assert join_passages((text, language) for text in texts) == joined


def test_a_change_of_language_is_spaced_unless_neither_has_spaces() -> None:
    passages = [("好。", "zh"), ("はい。", "ja"), ("", "en"), ("OK.", "en"), ("好。", "zh")]
    assert join_passages(passages) == "好。はい。 OK. 好。"


def test_the_page_knows_the_same_languages() -> None:
    script = Path("static/js/languages.js").read_text(encoding="utf-8")
    listed = re.search(r"UNSPACED = \[(.*)\]", script)
    assert listed
    assert set(re.findall(r'"(\w+)"', listed[1])) == UNSPACED
