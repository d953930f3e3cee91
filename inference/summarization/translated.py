"""A summary in another language: what there is to translate, and the summary put together again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from inference.summarization.rolling import prose
from inference.summarization.summary import Summary


def translate_summary(summary: Summary, language: str, translate: Callable[[list[str]], Sequence[str]]) -> Summary:
    """`summary` in `language` (ISO 639-1): same items, owners and captions, and prose made of the translated topics.

    `translate` is called once, with every item's text, and answers one text each in their order; not at all where there
    is nothing to do.

    Raises:
        ValueError: `translate` answered another number of texts.
    """
    if summary.language == language or not summary.items:
        return replace(summary, language=language)
    texts = translate([item.text for item in summary.items])
    items = tuple(replace(item, text=text) for item, text in zip(summary.items, texts, strict=True))
    return replace(summary, language=language, items=items, text=prose(items))
