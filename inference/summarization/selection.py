"""Select the content of a summary: each stretch's central sentences, and all decisions, actions and questions."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inference.summarization.agreement import REACH
from inference.summarization.centrality import centralities, stretches, weigh
from inference.summarization.decision_patterns import kind_of
from inference.summarization.prompt_injection import without_steering
from inference.summarization.summary import ItemKind
from inference.summarization.utterances import SpokenSentence

WORDS_A_STRETCH = 350
"""About two and a half minutes of speech."""
MOST_STRETCHES = 8
"""Maximum per run, whatever its length; limits the work of the model."""
SENTENCES_A_TOPIC = 5
WORDS_A_TOPIC = 110
MIN_SELECTED_CONTENT = 3
"""Minimum content words of a sentence in a topic."""
MAX_SELECTED = 40
"""Maximum words of such a sentence; longer ones are speech without punctuation."""
LONGEST_CUED = 60
"""Maximum words of a decision, action or question; a quotation shows the beginning."""
MAX_ITEMS = {ItemKind.DECISION: 8, ItemKind.ACTION: 8, ItemKind.QUESTION: 4}
"""Maximum items per run."""
SENTENCE_SIMILARITY = 0.6
"""Minimum Jaccard index of content stems for two sentences to count as equal."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The sources of one item."""

    kind: ItemKind
    sentences: tuple[SpokenSentence, ...]
    """In spoken order."""
    best: SpokenSentence
    """The sentence to quote if no text can be generated."""
    following: tuple[SpokenSentence, ...] = ()
    """For a decision, an action or a question: the sentences right after it."""


def select(sentences: Sequence[SpokenSentence], language: str) -> list[Evidence]:
    """Return topics in order, then decisions, actions and questions. Only sentences in `language` form topics."""
    meant = without_steering(sentences)
    if not meant:
        return []
    weights = weigh(meant)
    count = min(MOST_STRETCHES, max(1, round(sum(sentence.length for sentence in meant) / WORDS_A_STRETCH)))
    parts = stretches(meant, weights, count)
    ranks = {
        meant[place].place: rank for part in parts for place, rank in zip(part, _ranks(part, weights), strict=True)
    }
    cued = _cued(meant, ranks)
    told = {found.best.place for found in cued}
    topics = (_topic([meant[place] for place in part], language, ranks, told) for part in parts)
    return [*(topic for topic in topics if topic), *cued]


def _ranks(part: range, weights: Any) -> list[float]:
    """Return centralities within a stretch, scaled to a mean of 1 whatever its length."""
    return [float(rank) * len(part) for rank in centralities(weights[part.start : part.stop])]


def alike(one: frozenset[str], other: frozenset[str]) -> bool:
    """Return whether two sets of content stems say the same."""
    return len(one & other) >= SENTENCE_SIMILARITY * len(one | other) and bool(one)


def _topic(
    stretch: Sequence[SpokenSentence], language: str, ranks: Mapping[int, float], told: Collection[int]
) -> Evidence | None:
    """Return a topic from the most central sentences. Those that are already items are only quoted as a last resort."""
    fit = [sentence for sentence in stretch if _is_telling(sentence) and sentence.language == language]
    chosen: list[SpokenSentence] = []
    for sentence in sorted(fit, key=lambda sentence: (-_worth(sentence, ranks), sentence.place)):
        words = sum(other.length for other in chosen) + sentence.length
        if words <= WORDS_A_TOPIC and not any(alike(sentence.content, other.content) for other in chosen):
            chosen.append(sentence)
        if len(chosen) == SENTENCES_A_TOPIC:
            break
    if not chosen:
        return None
    best = next((sentence for sentence in chosen if sentence.place not in told), chosen[0])
    return Evidence(ItemKind.TOPIC, tuple(sorted(chosen, key=lambda sentence: sentence.place)), best)


def _is_telling(sentence: SpokenSentence) -> bool:
    return len(sentence.content) >= MIN_SELECTED_CONTENT and sentence.length <= MAX_SELECTED


def _worth(sentence: SpokenSentence, ranks: Mapping[int, float]) -> float:
    """Return the weighted centrality: questions count less than statements, and short sentences less than full ones."""
    asks = 0.5 if sentence.text.endswith("?") else 1.0
    return ranks[sentence.place] * asks * min(1.0, len(sentence.content) / 6)


def _cued(sentences: Sequence[SpokenSentence], ranks: Mapping[int, float]) -> list[Evidence]:
    """Return the most central items of every kind, in order and without duplicates."""
    kept: dict[ItemKind, list[Evidence]] = {kind: [] for kind in MAX_ITEMS}
    for found in sorted(_told(sentences), key=lambda found: (-ranks[found.best.place], found.best.place)):
        others = kept[found.kind]
        if len(others) < MAX_ITEMS[found.kind] and not any(
            alike(found.best.content, other.best.content) for other in others
        ):
            others.append(found)
    return [found for others in kept.values() for found in sorted(others, key=lambda found: found.best.place)]


def _told(sentences: Sequence[SpokenSentence]) -> Iterator[Evidence]:
    """Yield every sentence that is a decision, an action or a question."""
    for place, sentence in enumerate(sentences):
        following = tuple(sentences[place + 1 : place + 1 + REACH])
        kind = kind_of(sentence, following) if sentence.length <= LONGEST_CUED else None
        if kind is not None:
            yield Evidence(kind, (sentence,), sentence, following)
