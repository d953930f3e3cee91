"""Names and jargon that keep their form: lost ones are translated again behind made-up names.

A model copies a capitalised word that it has never seen, and translates one that it knows ("Daisy", "pull request").
So a term that went missing is replaced by such a word, translated, and put back; `docs/translation.md` has the figures.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import count

MASKS = ("Zyphex", "Quarklane", "Vantonger", "Brindlewood", "Tarvik")
"""Words of no language, chosen by trial: the starter models copied each of them every time."""


def terms_said(text: str, vocabulary: Sequence[str]) -> tuple[str, ...]:
    """The terms of `vocabulary` that occur in `text` as whole words; the longest first.

    A term with capitals must be said with them, or the name Will would be found in every "will you"; one without is
    found in any case.
    """
    longest_first = sorted({term for term in vocabulary if term.strip()}, key=lambda term: (-len(term), term))
    return tuple(term for term in longest_first if _pattern(term).search(text))


def terms_lost(translation: str, terms: Sequence[str]) -> tuple[str, ...]:
    """Those of `terms` that do not stand in `translation`."""
    return tuple(term for term in terms if not _pattern(term).search(translation))


def only_terms(text: str, terms: Sequence[str]) -> bool:
    """Whether `text` says nothing but `terms`."""
    for term in terms:
        text = _pattern(term).sub("", text)
    return bool(terms) and not any(character.isalnum() for character in text)


def mask(text: str, terms: Sequence[str]) -> tuple[str, dict[str, str]]:
    """`text` with every one of `terms` behind a made-up name, and the term behind each name."""
    terms_by_mask: dict[str, str] = {}
    for name, term in zip(_unused_masks(text), terms, strict=False):
        masked = _pattern(term).sub(name, text)
        if masked != text:
            text, terms_by_mask[name] = masked, term
    return text, terms_by_mask


def unmask(masked: str, translation: str, terms_by_mask: Mapping[str, str]) -> str | None:
    """`translation` with the terms put back; None where it does not have each name as often as `masked`."""
    for name, term in terms_by_mask.items():
        if len(_pattern(name).findall(translation)) != len(_pattern(name).findall(masked)):
            return None
        translation = _put_back(term, name, translation)
    return translation


def _put_back(term: str, name: str, translation: str) -> str:
    """`term` instead of `name`; one without capitals gets one where it begins the sentence."""
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
