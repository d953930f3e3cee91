"""Join texts of languages with and without spaces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

UNSPACED = frozenset({"bo", "ja", "km", "lo", "my", "th", "yue", "zh"})
"""Languages written without spaces between words and sentences. As in static/js/languages.js."""


def join_texts(texts: Sequence[str], language: str) -> str:
    """Join consecutive texts, spaced as `language` is written. Empty texts are left out."""
    return space_of(language).join(text for text in texts if text)


def join_passages(passages: Iterable[tuple[str, str]]) -> str:
    """Join consecutive (text, language) pairs: without a space only between two languages that have none."""
    joined, before = "", ""
    for text, language in passages:
        if text:
            joined += f"{joined and (space_of(before) or space_of(language))}{text}"
            before = language
    return joined


def space_of(language: str) -> str:
    """Return what stands between two words of `language`."""
    return "" if language in UNSPACED else " "
