from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inference.speech.revision import Line, Revision, new_segment, revised_parts, revisions
from inference.speech.second_pass import Piece
from inference.text import join_texts
from inference.types import Word

WORD_S = 0.25


def spoken(text: str, *, start: float = 0.0) -> tuple[Word, ...]:
    return tuple(
        Word(start + index * WORD_S, start + (index + 1) * WORD_S, word, 0.9) for index, word in enumerate(text.split())
    )


def line(segment: str, text: str, *, start: float = 0.0, language: str = "en", is_fixed: bool = False) -> Line:
    words = spoken(text, start=start)
    return Line(segment, start, words[-1].end, language, text, words, is_fixed)


def piece(text: str, *, start: float = 0.0, end: float = 60.0, language: str = "en") -> Piece:
    return Piece(start, end, language, spoken(text, start=start))


def told(found: list[Revision]) -> list[tuple[str, str]]:
    return [(one.line.segment if one.line else "new", one.text) for one in found]


def test_a_word_goes_to_the_caption_of_the_word_that_it_stands_for() -> None:
    lines = [line("a", "we met at the"), line("b", "duck yesterday.", start=1.0)]
    assert told(revisions(lines, [piece("We met at the dock yesterday.")])) == [
        ("a", "We met at the"),
        ("b", "dock yesterday."),
    ]


def test_an_unchanged_caption_gets_no_revision_and_equal_words_keep_their_times() -> None:
    lines = [line("a", "we met"), line("b", "at the duck", start=0.5)]
    [revision] = revisions(lines, [piece("we met at the dock", start=0.2)])
    assert told([revision]) == [("b", "at the dock")]
    assert [(word.text, word.start) for word in revision.words] == [("at", 0.5), ("the", 0.75), ("dock", 1.2)]


def test_a_corrected_caption_stays_and_its_words_are_not_said_twice() -> None:
    lines = [line("a", "we meat"), line("b", "at the duck", start=0.5, is_fixed=True), line("c", "now", start=1.25)]
    read = (*spoken("we meet"), *spoken("at a", start=0.5), *spoken("real dock", start=0.8), *spoken("now", start=1.3))
    assert told(revisions(lines, [Piece(0.0, 60.0, "en", read)])) == [("a", "we meet")]


def test_captions_in_another_language_stay() -> None:
    lines = [line("a", "bom dia", language="pt"), line("b", "good mourning", start=0.5)]
    assert told(revisions(lines, [piece("bon dear good morning")])) == [("b", "good morning")]


def test_a_caption_without_words_becomes_empty_unless_nothing_was_read_there() -> None:
    lines = [line("a", "hello there"), line("b", "hm", start=8.0)]
    read = piece("hello there", end=20.0)
    assert told(revisions(lines, [read])) == [("b", "")]
    assert told(revisions(lines, [piece("hello there", end=5.0), Piece(5.0, 20.0, "", ())])) == []


def test_words_where_no_caption_was_get_one_of_their_own() -> None:
    lines = [line("a", "hello")]
    found = revisions(
        lines, [piece("hello"), piece("is anybody here", start=6.0), piece("olá", start=9.0, language="pt")]
    )
    assert [(one.text, one.language, new_segment(one)) for one in found] == [
        ("is anybody here", "en", "000000096000"),
        ("olá", "pt", "000000144000"),
    ]


words = st.lists(st.sampled_from(("we", "met", "at", "the", "dock", "duck")), min_size=1, max_size=30)


@given(words, words, st.integers(1, 6), st.integers(0, 2))
def test_no_word_is_lost_or_doubled_whatever_is_read_again(
    first: list[str], second: list[str], size: int, corrected: int
) -> None:
    parts = [first[place : place + size] for place in range(0, len(first), size)]
    lines = [
        line(str(index), " ".join(part), start=index * size * WORD_S, is_fixed=index == corrected)
        for index, part in enumerate(parts)
    ]
    texts = {one.segment: one.text for one in lines}
    found = list(revised_parts(lines, [piece(" ".join(second))]))
    for one in found:
        assert one.line is None or not one.line.is_fixed
        assert one.text == join_texts([word.text for word in one.words], "en")
        assert [word.start for word in one.words] == sorted(word.start for word in one.words)
        texts[one.line.segment if one.line else new_segment(one)] = one.text
    if corrected >= len(parts):
        assert sorted(" ".join(texts.values()).split()) == sorted(second)
    else:
        assert texts[str(corrected)] == " ".join(parts[corrected])
