"""Against nonsense: what a translation must show before anybody reads it in place of what was said."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum

from inference.repetition import COMPRESSION_RATIO, compression_ratio, is_cyclic

LONGEST_RATIO = 3
"""Times the source's length; a loop runs into the model's own limit, which is far beyond."""
SPARE_LENGTH = 30
"""Characters that a short sentence may have on top."""
IDEOGRAPH_LENGTH = 3
"""Letters of an alphabet that say as much as one ideograph or syllable sign, roughly."""

_DENSE = re.compile(r"[\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_WORD = re.compile(rf"{_DENSE.pattern}|[^\W_]+(?:'\w+)*")
_BRACKETS = re.compile(r"\s*\((?:[^()]*\))?")


class Rejection(StrEnum):
    """Why a translation is not shown."""

    EMPTY = "empty"
    LONG = "long"
    REPETITIVE = "repetitive"


def rejection(source: str, translation: str) -> Rejection | None:
    """Why `translation` cannot be one of `source`; None: it can."""
    if has_words(source) and not has_words(translation):
        return Rejection.EMPTY
    if _length(translation) > LONGEST_RATIO * _length(source) + SPARE_LENGTH:
        return Rejection.LONG
    if _loops(translation) and not _loops(source):
        return Rejection.REPETITIVE
    return None


def has_words(text: str) -> bool:
    """Whether there is anything to translate: a letter of any script."""
    return any(unicodedata.category(character).startswith("L") for character in text)


def without_invented_brackets(source: str, translation: str) -> str:
    """The translation less remarks in brackets, where nobody said any: small models explain lone names with them."""
    if "(" in source:
        return translation
    plain = _BRACKETS.sub("", translation).strip()
    return plain if has_words(plain) else translation


def _loops(text: str) -> bool:
    return is_cyclic(_WORD.findall(text.lower())) or compression_ratio(text) > COMPRESSION_RATIO


def _length(text: str) -> int:
    return len(text) + (IDEOGRAPH_LENGTH - 1) * len(_DENSE.findall(text))
