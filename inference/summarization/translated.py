"""Translate a summary: collect its texts and rebuild it from the translations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from inference.summarization.rolling import prose
from inference.summarization.summary import Summary


def translate_summary(summary: Summary, language: str, translate: Callable[[list[str]], Sequence[str]]) -> Summary:
    """Return `summary` in `language` (ISO 639-1): same items, owners and captions, prose from the translated topics.

    `translate` is called once with the texts of all items and returns one text each, in order. It is not called if
    there is nothing to translate.

    Raises:
        ValueError: `translate` returned another number of texts.
    """
    if summary.language == language or not summary.items:
        return replace(summary, language=language)
    texts = translate([item.text for item in summary.items])
    items = tuple(replace(item, text=text) for item, text in zip(summary.items, texts, strict=True))
    return replace(summary, language=language, items=items, text=prose(items, language))
