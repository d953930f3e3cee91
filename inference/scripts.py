"""The scripts in which languages are written, and those of a text."""

from __future__ import annotations

import unicodedata
from functools import cache

_LANGUAGES = {
    "ARABIC": "ar fa ps sd ug ur",
    "ARMENIAN": "hy",
    "BENGALI": "as bn",
    "CJK HIRAGANA KATAKANA": "ja",
    "CJK BOPOMOFO": "yue zh",
    "CYRILLIC": "ba be bg kk mk mn ru tg tt uk",
    "CYRILLIC LATIN": "az bs sr tk uz",
    "DEVANAGARI": "hi mr ne sa",
    "ETHIOPIC": "am",
    "GEORGIAN": "ka",
    "GREEK": "el",
    "GUJARATI": "gu",
    "GURMUKHI ARABIC": "pa",
    "HANGUL CJK": "ko",
    "HEBREW": "he yi",
    "KANNADA": "kn",
    "KHMER": "km",
    "LAO": "lo",
    "MALAYALAM": "ml",
    "MYANMAR": "my",
    "ORIYA": "or",
    "SINHALA": "si",
    "TAMIL": "ta",
    "TELUGU": "te",
    "THAI": "th",
    "TIBETAN": "bo",
}
"""Languages by the scripts that they use, as Unicode names letters; all others are written in Latin letters."""

_SCRIPTS = {code: frozenset(scripts.split()) for scripts, codes in _LANGUAGES.items() for code in codes.split()}


def scripts_of(language: str) -> frozenset[str]:
    """Return the scripts of `language` (ISO 639-1)."""
    return _SCRIPTS.get(language, frozenset({"LATIN"}))


def share_in_script(text: str, language: str) -> float:
    """Return the share of the letters in `text` that `language` is written with; 1.0 without letters."""
    letters = [character for character in text if unicodedata.category(character).startswith("L")]
    written = sum(not _names_of(letter).isdisjoint(scripts_of(language)) for letter in letters)
    return written / len(letters) if letters else 1.0


@cache
def _names_of(letter: str) -> frozenset[str]:
    """Return the words of the letter's name; one of them is its script."""
    return frozenset(unicodedata.name(letter, "").replace("-", " ").split())
