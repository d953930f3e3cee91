"""What a summary will be about: the central sentences of every stretch, and what was decided, promised and asked."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inference.summarization.agreement import REACH
from inference.summarization.centrality import centralities, stretches, weigh
from inference.summarization.decision_patterns import kind_of
from inference.summarization.prompt_injection import without_steering
from inference.summarization.summary import Kind
from inference.summarization.utterances import Sentence

WORDS_A_STRETCH = 350
"""About two and a half minutes of talk."""
MOST_STRETCHES = 8
"""Of one run, however long: it bounds what is asked of the model."""
SENTENCES_A_TOPIC = 5
WORDS_A_TOPIC = 110
LEAST_CONTENT = 3
"""Content words of a sentence that a topic may rest on."""
LONGEST = 40
"""Words of such a sentence: longer ones are talk without full stops."""
LONGEST_CUED = 60
"""Words of a sentence that decides, promises or asks something; a quotation shows the beginning."""
MOST_ITEMS = {Kind.DECISION: 8, Kind.ACTION: 8, Kind.QUESTION: 4}
"""Of one run."""
ALIKE = 0.6
"""Jaccard index of content stems from which two sentences say the same."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one item will be written from."""

    kind: Kind
    sentences: tuple[Sentence, ...]
    """In their order."""
    best: Sentence
    """The one to quote where nothing can be written."""
    following: tuple[Sentence, ...] = ()
    """Of a decision, an action or a question: what was said right after it."""


def select(sentences: Sequence[Sentence], language: str) -> list[Evidence]:
    """Topics in their order, then decisions, actions and questions; only sentences in `language` make topics."""
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
    """Centrality inside of a stretch; 1 is the mean, however long it is."""
    return [float(rank) * len(part) for rank in centralities(weights[part.start : part.stop])]


def alike(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether two sets of content stems say the same."""
    return len(one & other) >= ALIKE * len(one | other) and bool(one)


def _topic(
    stretch: Sequence[Sentence], language: str, ranks: Mapping[int, float], told: Collection[int]
) -> Evidence | None:
    """The most central sentences; what is an item already is quoted only where there is nothing else."""
    fit = [sentence for sentence in stretch if _is_telling(sentence) and sentence.language == language]
    chosen: list[Sentence] = []
    for sentence in sorted(fit, key=lambda sentence: (-_worth(sentence, ranks), sentence.place)):
        words = sum(other.length for other in chosen) + sentence.length
        if words <= WORDS_A_TOPIC and not any(alike(sentence.content, other.content) for other in chosen):
            chosen.append(sentence)
        if len(chosen) == SENTENCES_A_TOPIC:
            break
    if not chosen:
        return None
    best = next((sentence for sentence in chosen if sentence.place not in told), chosen[0])
    return Evidence(Kind.TOPIC, tuple(sorted(chosen, key=lambda sentence: sentence.place)), best)


def _is_telling(sentence: Sentence) -> bool:
    return len(sentence.content) >= LEAST_CONTENT and sentence.length <= LONGEST


def _worth(sentence: Sentence, ranks: Mapping[int, float]) -> float:
    """Centrality; a question says less about a topic than an answer, and a short sentence less than a full one."""
    asks = 0.5 if sentence.text.endswith("?") else 1.0
    return ranks[sentence.place] * asks * min(1.0, len(sentence.content) / 6)


def _cued(sentences: Sequence[Sentence], ranks: Mapping[int, float]) -> list[Evidence]:
    """The most central ones of every kind, in their order; the same thing once."""
    kept: dict[Kind, list[Evidence]] = {kind: [] for kind in MOST_ITEMS}
    for found in sorted(_told(sentences), key=lambda found: (-ranks[found.best.place], found.best.place)):
        others = kept[found.kind]
        if len(others) < MOST_ITEMS[found.kind] and not any(
            alike(found.best.content, other.best.content) for other in others
        ):
            others.append(found)
    return [found for others in kept.values() for found in sorted(others, key=lambda found: found.best.place)]


def _told(sentences: Sequence[Sentence]) -> Iterator[Evidence]:
    """Every sentence that decides, promises or asks something."""
    for place, sentence in enumerate(sentences):
        following = tuple(sentences[place + 1 : place + 1 + REACH])
        kind = kind_of(sentence, following) if sentence.length <= LONGEST_CUED else None
        if kind is not None:
            yield Evidence(kind, (sentence,), sentence, following)
