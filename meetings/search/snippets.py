"""The part of a text that matches, as pieces and never as markup, because the text may look like markup."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

BEFORE, LENGTH = 60, 200
"""Characters shown before the first match, and in total."""

ELLIPSIS = "…"
ACCENTS = re.compile("[\u0300-\u036f]")
SNIPPET_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Piece:
    text: str
    is_marked: bool
    """Whether it is a matching word."""


def fold(text: str) -> str:
    """Return the text in lower case without accents."""
    return ACCENTS.sub("", unicodedata.normalize("NFD", text)).lower()


def count_terms(text: str, terms: Sequence[str]) -> int:
    """Return how many of `terms` a word of the text begins with."""
    words = [fold(word.group()) for word in SNIPPET_WORD.finditer(unicodedata.normalize("NFC", text))]
    return sum(any(word.startswith(fold(term)) for word in words) for term in terms)


def snippet(text: str, terms: Sequence[str]) -> list[Piece]:
    """Return part of `text` around the first word that begins with one of `terms`."""
    asked = tuple(fold(term) for term in terms)
    text = " ".join(unicodedata.normalize("NFC", text).split())
    places = [word.span() for word in SNIPPET_WORD.finditer(text) if fold(word.group()).startswith(asked)]
    start, end = _window(text, places[0][0] if places else 0)
    pieces: list[Piece] = [Piece(ELLIPSIS, is_marked=False)] if start else []
    place = start
    for first, last in places:
        if first >= place and last <= end:
            pieces += [Piece(text[place:first], is_marked=False), Piece(text[first:last], is_marked=True)]
            place = last
    pieces += [Piece(text[place:end], is_marked=False), Piece(ELLIPSIS if end < len(text) else "", is_marked=False)]
    return [piece for piece in pieces if piece.text]


def _window(text: str, found: int) -> tuple[int, int]:
    """Return a window that starts and ends at word boundaries if there are any."""
    start = max(0, found - BEFORE)
    if start:
        start = text.find(" ", start, found) + 1 or start
    end = min(len(text), start + LENGTH)
    if end < len(text):
        end = max(text.rfind(" ", found, end), found) if " " in text[found:end] else end
    return start, end
