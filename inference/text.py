"""Join texts of languages with and without spaces."""

from __future__ import annotations

from collections.abc import Sequence

UNSPACED = frozenset({"bo", "ja", "km", "lo", "my", "th", "yue", "zh"})
"""Languages written without spaces between words and sentences."""


def join_texts(texts: Sequence[str], language: str) -> str:
    """Join consecutive texts, spaced as `language` is written. Empty texts are left out."""
    return ("" if language in UNSPACED else " ").join(text for text in texts if text)
