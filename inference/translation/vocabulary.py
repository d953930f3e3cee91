"""Keep names and jargon unchanged: lost terms are masked by made-up names and translated again.

A model copies a capitalized word it has never seen, and translates one it knows ("Daisy", "pull request"). A term that
was lost is therefore replaced by such a word, translated, and put back; `docs/translation.md` has the measurements.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import count

MASKS = ("Zyphex", "Quarklane", "Vantonger", "Brindlewood", "Tarvik")
"""Words of no language, chosen empirically: the starter models copied each of them every time."""


def terms_said(text: str, vocabulary: Sequence[str]) -> tuple[str, ...]:
    """Return the terms of `vocabulary` that occur in `text` as whole words, longest first.

    A term with capitals must match their case, or the name Will would match every "will you". Terms without capitals
    match in any case.
    """
    longest_first = sorted({term for term in vocabulary if term.strip()}, key=lambda term: (-len(term), term))
    return tuple(term for term in longest_first if _pattern(term).search(text))


def terms_lost(translation: str, terms: Sequence[str]) -> tuple[str, ...]:
    """Return those of `terms` missing from `translation`."""
    return tuple(term for term in terms if not _pattern(term).search(translation))


def only_terms(text: str, terms: Sequence[str]) -> bool:
    """Return whether `text` consists only of `terms`."""
    for term in terms:
        text = _pattern(term).sub("", text)
    return bool(terms) and not any(character.isalnum() for character in text)


def mask(text: str, terms: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Replace each of `terms` in `text` by a made-up name; return the text and the term of each name."""
    terms_by_mask: dict[str, str] = {}
    for name, term in zip(_unused_masks(text), terms, strict=False):
        masked = _pattern(term).sub(name, text)
        if masked != text:
            text, terms_by_mask[name] = masked, term
    return text, terms_by_mask


def unmask(masked: str, translation: str, terms_by_mask: Mapping[str, str]) -> str | None:
    """Put the terms back into `translation`; None if a name does not occur as often as in `masked`."""
    for name, term in terms_by_mask.items():
        if len(_pattern(name).findall(translation)) != len(_pattern(name).findall(masked)):
            return None
        translation = _put_back(term, name, translation)
    return translation


def _put_back(term: str, name: str, translation: str) -> str:
    """Replace `name` by `term`. A lower-case term is capitalized at the start of the sentence."""
    if term.islower() and translation.startswith(name):
        translation = term[:1].upper() + term[1:] + translation.removeprefix(name)
    return translation.replace(name, term)


def _unused_masks(text: str) -> list[str]:
    more = (f"Zyph{number}" for number in count(1))
    free = [name for name in MASKS if name.lower() not in text.lower()]
    return free + [next(more) for _ in range(len(text.split()))]


def _pattern(term: str) -> re.Pattern[str]:
    words = r"\s+".join(re.escape(word) for word in term.split())
    return re.compile(rf"(?<!\w){words}(?!\w)", re.IGNORECASE if term.islower() else re.NOFLAG)
