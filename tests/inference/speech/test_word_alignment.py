from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inference.speech.word_alignment import paired_words
from inference.types import Word

texts = st.lists(st.sampled_from(("a", "b", "c", "d")), max_size=12)


def spoken(text: str, *, start: float = 0.0) -> list[Word]:
    return [Word(start + index / 4, start + index / 4 + 0.25, word, 0.9) for index, word in enumerate(text.split())]


def test_equal_words_are_pairs_and_one_stands_for_another() -> None:
    first, second = spoken("we met at the Duck yesterday"), spoken("We met at a duck, well, yesterday.")
    assert paired_words(first, second) == [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (None, 5), (5, 6)]


def test_words_that_are_far_apart_are_no_pair() -> None:
    assert paired_words(spoken("no"), spoken("no", start=5.0)) == [(None, 0), (0, None)]


@given(texts, texts)
def test_every_word_is_there_once_and_in_order(first: list[str], second: list[str]) -> None:
    pairs = paired_words(spoken(" ".join(first)), spoken(" ".join(second)))
    assert [one for one, _ in pairs if one is not None] == list(range(len(first)))
    assert [other for _, other in pairs if other is not None] == list(range(len(second)))
