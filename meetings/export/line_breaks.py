"""Where a line of text may be broken, and how well: the rules of subtitles, language by language.

Netflix' Timed Text Style Guide: break after punctuation, before conjunctions and prepositions, and part no article,
preposition, auxiliary or pronoun from its word. The BBC's Subtitle Guidelines (3.4) say the same of whole subtitles.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass

from inference.sentences import clause_starts, sentence_starts

SENTENCE, CLAUSE, PHRASE, WORD, LEANING, INSIDE = 0.0, 1.0, 2.0, 4.0, 8.0, 16.0
"""Cost of a break: after a sentence, a clause, before a phrase, between words, after a word that leans on the next,
and inside a word."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a reader can take in, in columns: a full-width character takes two."""

    columns: int = 42
    """Of a line."""
    speed: float = 17.0
    """Columns a second that are aimed at."""
    fastest: float = 20.0
    """Columns a second up to which nothing is done about it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Text that stays on one line."""

    text: str
    begin: int
    """Its place in the whole text."""
    end: int
    cost: float
    """Of a break before it, one of the constants above."""
    is_spaced: bool
    """Whether a space stands before it."""


FULL_WIDTH = Limits(columns=32)
_LIMITS = {"zh": FULL_WIDTH, "yue": FULL_WIDTH, "ko": FULL_WIDTH, "ja": Limits(32, 14.0, 16.0), "th": Limits(35)}
"""Netflix' guides of these languages: 16 full-width characters a line; Japanese 7 characters a second; Thai 35."""

_PHRASE = {
    "de": "und oder aber denn weil dass wenn ob als damit obwohl mit von aus bei nach zu für ohne gegen um durch",
    "en": "and or but because that which who when while if so than as with from into of to in on at by for about",
    "es": "y o pero porque que quien cuando si aunque como con de desde en para por sin sobre entre hasta",
    "fr": "et ou mais car parce que qui quand si comme avec de dans en pour par sans sur entre vers chez",
    "pt": "e ou mas porque que quem quando se embora como com de do da dos das em no na nos nas para por sem sobre",
}
_LEANING = {
    "de": "der die das den dem des ein eine einen einem einer kein keine mein dein sein ihr unser ich du er wir nicht",
    "en": "a an the my your his her its our their this these those some no i you he she we they is are was were be "
    "have has had will would can could should must do does did not very mr mrs ms dr",
    "es": "el la los las un una unos unas mi tu su nuestro este esta no se me te lo le muy es son ha han",
    "fr": "le la les un une des mon ton son notre votre leur ce cet cette ces je tu il elle nous vous ils ne se est a",
    "pt": "o a os as um uma uns umas meu minha seu sua nosso este esta esse essa não me te lhe eu ele ela é são muito",
}
"""Prepositions and conjunctions lean on the next word too."""

PHRASE_WORDS = {language: frozenset(words.split()) for language, words in _PHRASE.items()}
LEANING_WORDS = {language: frozenset(words.split()) | PHRASE_WORDS[language] for language, words in _LEANING.items()}

_IDEOGRAPHIC = (
    "\u2e80-\u2fdf\u3000-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff01-\uffef\U00020000-\U0003ffff"
)
_UNSPACED = "\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff"
"""Thai, Lao, Tibetan, Burmese, Khmer: words stand without spaces, and only a dictionary could tell them."""
_NOT_FIRST = (
    "、。，．・：；？！)）」』】〕〉》”’…‥ーゝゞ々ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ"
    r"\u0e30\u0e32\u0e33\u0e45\u0e46\u0e2f,.!?;:%\]}"
)
_NOT_LAST = r"(（「『【〔〈《“‘\u0e40-\u0e44\[{"
_BREAK_INSIDE = re.compile(
    rf"(?<=[{_IDEOGRAPHIC}{_UNSPACED}])(?<![{_NOT_LAST}])(?![{_NOT_FIRST}])(?=\S)"
    rf"|(?<=\S)(?<![{_NOT_LAST}])(?![{_NOT_FIRST}])(?=[{_IDEOGRAPHIC}{_UNSPACED}])"
)
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")


def limits_of(language: str) -> Limits:
    """Return what readers of `language` can take in."""
    return _LIMITS.get(language, Limits())


def columns(text: str) -> int:
    """Return the width of `text`: 2 for a full-width character, 0 for a mark on another one."""
    return len(text) if text.isascii() else sum(map(_columns_of, text))


def pieces(text: str, language: str, word_starts: Set[int] = frozenset()) -> list[Piece]:
    """Return `text`, one line, in pieces. `word_starts`: places where words are known to begin."""
    kinds = dict.fromkeys(clause_starts(text), CLAUSE) | dict.fromkeys(sentence_starts(text), SENTENCE)
    found: list[Piece] = []
    for begin, end in _spans(text, sorted(kinds), limits_of(language).columns):
        is_spaced = begin > 0 and text[begin - 1] == " "
        if begin in kinds:
            cost = kinds[begin]
        elif is_spaced:
            cost = _between_words(found[-1].text, text[begin:end], language)
        else:
            cost = _inside(text, begin, begin in word_starts)
        found.append(Piece(text[begin:end], begin, end, cost, is_spaced))
    return found


def _columns_of(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _spans(text: str, clauses: Iterable[int], longest: int) -> Iterator[tuple[int, int]]:
    """Yield begin and end of what is not to be broken: words, and what has no spaces only where it is too long."""
    places = iter(clauses)
    place = next(places, len(text))
    for token in re.finditer(r"\S+", text):
        begin, end = token.span()
        while place <= begin:
            place = next(places, len(text) + 1)
        while place < end:
            yield from _parts(text, begin, place, longest)
            begin, place = place, next(places, len(text) + 1)
        yield from _parts(text, begin, end, longest)


def _parts(text: str, begin: int, end: int, longest: int) -> Iterator[tuple[int, int]]:
    if columns(text[begin:end]) > longest:
        for place in _BREAK_INSIDE.finditer(text, begin + 1, end):
            is_mark = unicodedata.category(text[place.start()]).startswith("M")
            if not is_mark and columns(text[begin : place.start()]) >= longest // 8:
                yield begin, place.start()
                begin = place.start()
    yield begin, end


def _between_words(before: str, after: str, language: str) -> float:
    if before.strip("\"'“‘«(").casefold() in LEANING_WORDS.get(language, ()):
        return LEANING
    return PHRASE if after.casefold() in PHRASE_WORDS.get(language, ()) else WORD


def _inside(text: str, place: int, is_word_start: bool) -> float:
    if place == 0:
        return SENTENCE
    if is_word_start:
        return WORD
    return INSIDE if _IS_UNSPACED.match(text, place) else WORD + 1
