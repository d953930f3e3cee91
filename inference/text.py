"""How languages are written."""

from __future__ import annotations

from collections.abc import Sequence

UNSPACED = frozenset({"bo", "ja", "km", "lo", "my", "th", "yue", "zh"})
"""Languages whose words and sentences follow each other without a space."""


def join_texts(texts: Sequence[str], language: str) -> str:
    """Return consecutive texts as one, spaced as `language` is written. Empty ones are left out."""
    return ("" if language in UNSPACED else " ").join(text for text in texts if text)
