"""Reject nonsensical translations before they are shown."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum

from inference.repetition import COMPRESSION_RATIO, compression_ratio, is_cyclic

LONGEST_RATIO = 3
"""Maximum ratio to the source's length. A loop runs up to the model's own limit, far beyond."""
SPARE_LENGTH = 30
"""Additional characters allowed, for short sentences."""
IDEOGRAPH_LENGTH = 3
"""Approximate alphabetic letters equivalent to one ideograph or syllable sign."""

_DENSE = re.compile(r"[\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_WORD = re.compile(rf"{_DENSE.pattern}|[^\W_]+(?:'\w+)*")
_BRACKETS = re.compile(r"\s*\((?:[^()]*\))?")


class TranslationRejection(StrEnum):
    """Why a translation is not shown."""

    EMPTY = "empty"
    LONG = "long"
    REPETITIVE = "repetitive"


def translation_rejection(source: str, translation: str) -> TranslationRejection | None:
    """Return why `translation` cannot be one of `source`; None if it can."""
    if has_words(source) and not has_words(translation):
        return TranslationRejection.EMPTY
    if _length(translation) > LONGEST_RATIO * _length(source) + SPARE_LENGTH:
        return TranslationRejection.LONG
    if _loops(translation) and not _loops(source):
        return TranslationRejection.REPETITIVE
    return None


def has_words(text: str) -> bool:
    """Return whether there is anything to translate: a letter of any script."""
    return any(unicodedata.category(character).startswith("L") for character in text)


def without_invented_brackets(source: str, translation: str) -> str:
    """Remove bracketed remarks if the source has none: small models explain isolated names with them."""
    if "(" in source:
        return translation
    plain = _BRACKETS.sub("", translation).strip()
    return plain if has_words(plain) else translation


def _loops(text: str) -> bool:
    return is_cyclic(_WORD.findall(text.lower())) or compression_ratio(text) > COMPRESSION_RATIO


def _length(text: str) -> int:
    return len(text) + (IDEOGRAPH_LENGTH - 1) * len(_DENSE.findall(text))
