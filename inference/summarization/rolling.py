"""The running notes: existing items stay, new ones are added without duplicates, and the size is bounded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

from inference.summarization.selection import alike
from inference.summarization.summary import Item, ItemKind, Summary
from inference.summarization.words import content_stems
from inference.text import join_texts

MAX_NOTES = {ItemKind.TOPIC: 8, ItemKind.DECISION: 10, ItemKind.ACTION: 12, ItemKind.QUESTION: 6}
"""Maximum items of a meeting, whatever its length."""
ORDER = tuple(ItemKind)

_ENDS = (".", "!", "?", "…", "。", "！", "？", "؟", "।", "།", "။", "។")
IDEOGRAPHIC_STOP = frozenset({"ja", "yue", "zh"})
"""Languages that end a sentence with 。"""


def join(notes: Summary | None, items: Sequence[Item], *, from_s: float, to_s: float, language: str) -> Summary:
    """Return `notes` with `items`: topics, then decisions, actions and questions, each in spoken order."""
    kept = list(notes.items) if notes else []
    for item in items:
        _add(kept, item, language)
    bounded = tuple(item for kind in ORDER for item in _bounded([i for i in kept if i.kind is kind], kind, language))
    start = min(notes.from_s, from_s) if notes else from_s
    return Summary(start, max(to_s, start), language, prose(bounded, language), bounded)


def prose(items: Sequence[Item], language: str) -> str:
    """Return the topics as one paragraph, spaced and ended as `language` is written."""
    return join_texts([_ended(item.text, language) for item in items if item.kind is ItemKind.TOPIC], language)


def _add(kept: list[Item], item: Item, language: str) -> None:
    """Add the item; if it repeats a kept one, only add its captions to that."""
    stems = frozenset(content_stems(item.text, language))
    for place, other in enumerate(kept):
        if other.kind is item.kind and alike(stems, frozenset(content_stems(other.text, language))):
            kept[place] = replace(other, segments=tuple(dict.fromkeys((*other.segments, *item.segments))))
            return
    kept.append(item)


def _bounded(items: list[Item], kind: ItemKind, language: str) -> list[Item]:
    """Reduce to `MAX_NOTES` by repeatedly dropping the earlier of the two most similar items."""
    stems = [frozenset(content_stems(item.text, language)) for item in items]
    places = set(range(len(items)))
    while len(places) > MAX_NOTES[kind]:
        one, _ = max(combinations(sorted(places), 2), key=lambda pair: _likeness(stems[pair[0]], stems[pair[1]]))
        places.discard(one)
    return [items[place] for place in sorted(places)]


def _likeness(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / max(1, len(one | other))


def _ended(text: str, language: str) -> str:
    if text.endswith(_ENDS):
        return text
    return text + ("。" if language in IDEOGRAPHIC_STOP else ".")
