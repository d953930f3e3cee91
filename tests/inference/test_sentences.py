from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.sentences import halves, split_sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Hello. How are you? Fine!", ["Hello.", "How are you?", "Fine!"]),
        ("Dr. Smith met Mr. Jones at 3.30 p.m. today.", ["Dr. Smith met Mr. Jones at 3.30 p.m. today."]),
        ("O Sr. Lima saiu. A Dra. Ana ficou.", ["O Sr. Lima saiu.", "A Dra. Ana ficou."]),
        ('He said "Stop." Then he left.', ['He said "Stop."', "Then he left."]),
        ("So... yes, well... we go.", ["So... yes, well... we go."]),
        ("今日は晴れ。明日は雨。", ["今日は晴れ。", "明日は雨。"]),
        ("No end", ["No end"]),
        ("  ", []),
    ],
)
def test_sentences_end_where_people_end_them(text: str, sentences: list[str]) -> None:
    assert split_sentences(text, longest=300) == sentences


def test_a_long_sentence_is_cut_behind_a_clause() -> None:
    text = "we looked at the first plan, and we did not like it very much"
    assert split_sentences(text, longest=40) == ["we looked at the first plan,", "and we did not like it very much"]


def test_a_long_run_of_words_is_cut_between_words_and_a_long_word_anywhere() -> None:
    assert split_sentences("one two three four", longest=10) == ["one two", "three four"]
    assert split_sentences("abcdefgh", longest=3) == ["abc", "def", "gh"]


@given(st.text(alphabet="ab ,.?!。é\n\"')", max_size=200), st.integers(5, 60))
def test_nothing_is_lost_and_nothing_is_too_long(text: str, longest: int) -> None:
    pieces = split_sentences(text, longest=longest)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert all(0 < len(piece) <= longest for piece in pieces)


@given(st.text(alphabet="ab ,。", max_size=60))
def test_halves_are_the_whole(text: str) -> None:
    assert "".join("".join(halves(text)).split()) == "".join(text.split())


def test_halves_meet_behind_the_clause_in_the_middle() -> None:
    assert halves("well, I like it, but it costs a lot") == ("well, I like it,", "but it costs a lot")
