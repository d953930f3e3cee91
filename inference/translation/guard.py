"""Reject nonsensical translations, and those that are none, before they are shown."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from enum import StrEnum

from inference.repetition import COMPRESSION_RATIO, compression_ratio, is_cyclic
from inference.scripts import scripts_of, share_in_script

LONGEST_RATIO = 3
"""Maximum ratio to the source's length. A loop runs up to the model's own limit, far beyond."""
SPARE_LENGTH = 30
"""Additional characters allowed, for short sentences."""
IDEOGRAPH_LENGTH = 3
"""Approximate alphabetic letters equivalent to one ideograph or syllable sign."""

LEAST_IN_SCRIPT = 0.5
"""Minimum share of the letters in the target language's script. Names and quotations stay below it together."""
ALIKE = tuple(
    frozenset(codes.split())
    for codes in ("ast ca es gl it oc pt", "bs hr sl sr", "cs sk", "da nn no sv", "af nl", "id ms", "be bg mk ru uk")
)
"""Related languages: short sentences may be the same in several of them."""
SAME_WORDS = 4
"""From so many equal words on, a sentence is a copy even between related languages."""

_KEPT = re.compile(r"\S+://\S+|www\.\S+|\S+@\S+|[@#]\w+", re.IGNORECASE)
"""Addresses and handles."""
_TOKEN = re.compile(r"\w+(?:['’.-]\w+)*")
_REPEATED = re.compile(r"(.{1,4}?)\1{2,}", re.IGNORECASE)
_OK = frozenset({"ok", "okay"})

_DENSE = re.compile(r"[\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_WORD = re.compile(rf"{_DENSE.pattern}|[^\W_]+(?:'\w+)*")
_BRACKETS = re.compile(r"\s*\((?:[^()]*\))?")


class TranslationRejection(StrEnum):
    """Why a translation is not shown."""

    EMPTY = "empty"
    LONG = "long"
    REPETITIVE = "repetitive"
    SCRIPT = "another script"
    COPY = "copy"


def translation_rejection(source: str, translation: str, *, spoken: str, target: str) -> TranslationRejection | None:
    """Return why `translation` cannot be one of `source`; None if it can.

    `spoken` and `target` are the ISO 639-1 codes of both. Names, numbers, addresses and "OK" may be copied.
    """
    if has_words(source) and not has_words(translation):
        return TranslationRejection.EMPTY
    if _length(translation) > LONGEST_RATIO * _length(source) + SPARE_LENGTH:
        return TranslationRejection.LONG
    if _loops(translation) and not _loops(source):
        return TranslationRejection.REPETITIVE
    said, written = _words(source), _words(translation)
    own = [word for word in written if word not in said or not _is_kept(word)]
    if share_in_script(" ".join(own), target) < LEAST_IN_SCRIPT:
        return TranslationRejection.SCRIPT
    if _letters(said) == _letters(written) and _must_change(said, spoken, target):
        return TranslationRejection.COPY
    return None


def _must_change(words: Sequence[str], spoken: str, target: str) -> bool:
    """Return whether a translation from `spoken` into `target` cannot leave all of `words` as they are."""
    changing = [word for word in words if not _is_kept(word)]
    if scripts_of(spoken).isdisjoint(scripts_of(target)):
        return False  # the sentence was in the target's script already
    is_related = any({spoken, target} <= languages for languages in ALIKE)
    return len(changing) >= (SAME_WORDS if is_related else 1)


def _words(text: str) -> list[str]:
    return _TOKEN.findall(_KEPT.sub(" ", text))


def _is_kept(word: str) -> bool:
    """Return whether `word` looks like a name, a number or "OK"."""
    if any(character.isdigit() for character in word) or word.lower() in _OK:
        return True
    parts = re.split(r"['’.-]", word)
    return all(any(map(str.isupper, part)) for part in parts) and not _REPEATED.fullmatch(word)


def _letters(words: Sequence[str]) -> str:
    """Return the letters without case and spacing: models copy "uh-huh" as "Uh- huh"."""
    return "".join(re.findall(r"\w", "".join(words))).casefold()


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
