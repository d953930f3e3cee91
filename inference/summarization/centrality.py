"""Rank sentences by centrality, and split a meeting where its topic changes.

Sentences are compared by TF-IDF over their content stems. Centrality is LexRank (Erkan and Radev 2004, JAIR 22): the
stationary distribution of a random walk between similar sentences. Boundaries are placed where the words on both sides
differ most, as in TextTiling (Hearst 1997, Computational Linguistics 23).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from inference.summarization.utterances import SpokenSentence

if TYPE_CHECKING:
    import numpy as np

DAMPING = 0.85
POWER_STEPS = 50
"""Steps of the walk; more than enough at this damping."""
SIDE = 8
"""Sentences compared on each side of a possible boundary."""
SLACK = 0.3
"""Maximum distance of a boundary from an even division, as a fraction of a stretch."""


def weigh(sentences: Sequence[SpokenSentence]) -> Any:
    """Return TF-IDF rows of unit length, or zero rows: a sparse matrix of float64, shape (sentences, stems)."""
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import TfidfVectorizer

    if not any(sentence.content for sentence in sentences):
        return csr_matrix((len(sentences), 1))
    vectorizer = TfidfVectorizer(analyzer=lambda sentence: sorted(sentence.content), sublinear_tf=True)
    return vectorizer.fit_transform(sentences)


def centralities(weights: Any) -> np.ndarray:
    """Return the LexRank of each row of `weigh`: float64, shape (sentences,), summing to 1."""
    import numpy as np

    similar = (weights @ weights.T).toarray()
    np.fill_diagonal(similar, 0.0)
    count = len(similar)
    sums = similar.sum(axis=1, keepdims=True)
    moves = np.divide(similar, sums, out=np.full_like(similar, 1 / max(count, 1)), where=sums > 0)
    rank = np.full(count, 1 / max(count, 1))
    for _ in range(POWER_STEPS):
        rank = (1 - DAMPING) / count + DAMPING * (rank @ moves)
    return rank


def stretches(sentences: Sequence[SpokenSentence], weights: Any, count: int) -> list[range]:
    """Split the sentences into `count` consecutive stretches with similar word counts, where the topic changes."""
    edges = [0, *(_boundary(sentences, weights, part, count) for part in range(1, count)), len(sentences)]
    return [range(first, last) for first, last in pairwise(edges) if first < last]


def _boundary(sentences: Sequence[SpokenSentence], weights: Any, part: int, count: int) -> int:
    """Return the start of stretch number `part`: near an even division, where both sides have least in common."""
    import numpy as np

    heard = np.cumsum([sentence.length for sentence in sentences])
    share = heard[-1] / count
    first, last = (int(np.searchsorted(heard, (part + off) * share)) for off in (-SLACK, SLACK))
    places = range(max(1, first), max(1, first) + max(1, last - first))
    return min(places, key=lambda place: _cohesion(weights, place))


def _cohesion(weights: Any, place: int) -> float:
    """Return the cosine similarity of the sentences before `place` and from `place` on."""
    import numpy as np

    before = np.asarray(weights[max(0, place - SIDE) : place].sum(axis=0)).ravel()
    after = np.asarray(weights[place : place + SIDE].sum(axis=0)).ravel()
    norms = float(np.linalg.norm(before) * np.linalg.norm(after))
    return float(before @ after) / norms if norms else 0.0
