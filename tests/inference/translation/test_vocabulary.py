from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inference.translation.vocabulary import MASKS, mask, only_terms, terms_lost, terms_said, unmask


def test_terms_are_whole_words_the_longest_first() -> None:
    vocabulary = ("Ana", "Ana Lima", "Lim", "sprint", "Rui", " ")
    assert terms_said("Sprint done, says Ana  Lima.", vocabulary) == ("Ana Lima", "sprint", "Ana")


def test_a_name_is_not_found_in_a_common_word() -> None:
    assert terms_said("will you come?", ("Will",)) == ()
    assert terms_said("Ask Will.", ("Will",)) == ("Will",)


def test_lost_terms_are_those_that_do_not_stand_there() -> None:
    assert terms_lost("A Margarida viu o sprint", ("Daisy", "sprint")) == ("Daisy",)


def test_a_caption_may_say_nothing_but_names() -> None:
    assert only_terms("Ana, Rui!", ("Ana", "Rui"))
    assert not only_terms("Ana and Rui", ("Ana", "Rui"))
    assert not only_terms("...", ())


def test_terms_travel_behind_made_up_names() -> None:
    masked, terms_by_mask = mask("Daisy likes the Blue Whale, Daisy!", ("Blue Whale", "Daisy"))
    assert masked == f"{MASKS[1]} likes the {MASKS[0]}, {MASKS[1]}!"
    translated = f"{MASKS[1]} gosta da {MASKS[0]}, {MASKS[1]}!"
    assert unmask(masked, translated, terms_by_mask) == "Daisy gosta da Blue Whale, Daisy!"


def test_jargon_gets_a_capital_where_it_begins_the_sentence() -> None:
    masked, terms_by_mask = mask("The pull request is late.", ("pull request",))
    assert unmask(masked, f"{MASKS[0]} está atrasado, {MASKS[0]}.", terms_by_mask) is None
    assert unmask(masked, f"{MASKS[0]} está atrasado.", terms_by_mask) == "Pull request está atrasado."


def test_a_made_up_name_that_somebody_says_hides_nothing() -> None:
    masked, terms_by_mask = mask(f"{MASKS[0]} saw Daisy", ("Daisy",))
    assert terms_by_mask == {MASKS[1]: "Daisy"}
    assert masked == f"{MASKS[0]} saw {MASKS[1]}"


@given(
    st.lists(st.text("ABCDE", min_size=1, max_size=3), max_size=12), st.lists(st.text("ABCDE", min_size=1, max_size=2))
)
def test_unmasking_undoes_masking(words: list[str], vocabulary: list[str]) -> None:
    text = " ".join(words)
    masked, terms_by_mask = mask(text, terms_said(text, vocabulary))
    assert unmask(masked, masked, terms_by_mask) == text
