"""Cluster embeddings into speakers: incrementally during a meeting, jointly afterwards.

Two voices of one window are different speakers (cannot-link) unless their embeddings are very similar, because the
segmentation sometimes takes a voice after a pause for another. Similarities are cosines. With CAM++ and two seconds of
clean speech, 95 % of same-speaker similarities are above 0.6 and 95 % of different-speaker ones below 0.3
(`docs/speakers.md`), so the thresholds lie in a wide gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from inference.diarization.local_speakers import LocalVoice
from inference.diarization.turns import NO_SPEAKER

SAME = 0.45
"""Minimum similarity for an embedding to match a known speaker."""

GUESS = 0.15
"""The same for an embedding of less than FOUNDING_S, which is too inaccurate to establish a new speaker."""

SURE_SPEAKER = 0.55
"""Minimum similarity for two voices of one window to count as the same speaker."""

FOUNDING_S = 1.0
"""Minimum seconds of clean speech to establish a new speaker."""

SAME_SPEAKER = 0.5
"""Minimum similarity between cluster centroids to merge them. Centroids vary less than single embeddings, so this joins
clusters that the tree of embeddings left divided, wherever it was cut.
"""

LARGEST = 2000
"""Approximate number of embeddings clustered at once; time and memory grow quadratically."""

APART = 2.0
"""Cosine distance of opposite vectors, used for two voices in one window."""

NOBODY = np.zeros((0, 0), np.float32)
"""The centroids of an empty set of speakers."""


@dataclass(frozen=True, slots=True)
class SpeakerHint:
    """The number of participants as far as the host knows it; exact if both are equal."""

    minimum: int = 1
    maximum: int | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for contradictory bounds."""
        if self.minimum < 1 or (self.maximum is not None and self.maximum < self.minimum):
            raise ValueError(f"no number of speakers lies between {self.minimum} and {self.maximum}")


class SpeakerRegistry:
    """The speakers of a running meeting by number. A returning speaker gets the same number.

    Holds one centroid per speaker, in memory only.
    """

    def __init__(self, *, maximum: int | None = None, first: int = 0) -> None:
        """`maximum` limits the number of speakers and may change later; numbers count from `first`."""
        self.maximum = maximum
        self._first = first
        self._sums: list[np.ndarray] = []

    def __len__(self) -> int:
        return len(self._sums)

    @property
    def next_number(self) -> int:
        """The number of the next new speaker."""
        return self._first + len(self._sums)

    def recognise(self, voices: Sequence[LocalVoice]) -> list[int]:
        """Return the speaker number of each voice of one window, or NO_SPEAKER."""
        numbers = match_voices(voices, self._directions(), least=GUESS if self._is_full else SAME)
        for index, voice in enumerate(voices):
            if numbers[index] == NO_SPEAKER and is_founding(voice) and not self._is_full:
                self._sums.append(np.zeros_like(voice.print))
                numbers[index] = len(self._sums) - 1
            if numbers[index] != NO_SPEAKER:
                self._learn(numbers[index], voice)
        return [number if number == NO_SPEAKER else number + self._first for number in numbers]

    def _directions(self) -> np.ndarray:
        return directions(self._sums) if self._sums else NOBODY

    @property
    def _is_full(self) -> bool:
        return self.maximum is not None and len(self._sums) >= self.maximum

    def _learn(self, known: int, voice: LocalVoice) -> None:
        if voice.print is not None and is_founding(voice):
            self._sums[known] = self._sums[known] + voice.clean_s * voice.print


def is_founding(voice: LocalVoice) -> bool:
    """Return whether the voice's embedding is good enough to establish a speaker."""
    return voice.print is not None and voice.clean_s >= FOUNDING_S


def match_voices(voices: Sequence[LocalVoice], known: np.ndarray, *, least: float) -> list[int]:
    """Match each voice of one window to a row of `known`, centroids of shape (speakers, width), or to NO_SPEAKER.

    The assignment maximizes the total similarity (Kuhn-Munkres). Embeddings with enough clean speech must reach
    `least`, others GUESS.
    """
    from scipy.optimize import linear_sum_assignment

    numbers = [NO_SPEAKER] * len(voices)
    heard = [index for index, voice in enumerate(voices) if voice.print is not None]
    if not heard or not len(known):
        return numbers
    similar = np.array([voices[index].print for index in heard]) @ known.T
    enough = similar >= np.array([least if is_founding(voices[index]) else GUESS for index in heard])[:, None]
    # A pair below the threshold must never displace one above it.
    pairs = zip(*linear_sum_assignment(np.where(enough, similar + APART, 0.0), maximize=True), strict=True)
    chosen = {row: column for row, column in pairs if enough[row, column]}
    for row, index in enumerate(heard):
        best = int(similar[row].argmax())
        is_sure = similar[row, best] >= SURE_SPEAKER
        numbers[index] = best if is_sure else int(chosen.get(row, NO_SPEAKER))
    return numbers


def directions(sums: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """Normalize each of `sums` to length 1: shape (len(sums), width)."""
    stacked = np.asarray(sums)
    return stacked / np.linalg.norm(stacked, axis=1, keepdims=True)


def cluster_windows(windows: Sequence[Sequence[LocalVoice]], hint: SpeakerHint) -> list[list[int]]:
    """Return the speaker number of each voice in each window, or NO_SPEAKER, using the whole recording.

    Embeddings with enough clean speech are clustered (agglomerative, average linkage), about LARGEST at a time so that
    hours take little more memory than minutes, and similar centroids are merged. Then every embedding is assigned to
    the nearest centroid, those of one window to different ones. Numbers count from 0 in order of appearance.
    """
    means = _means(windows, hint)
    if not len(means):
        return [[NO_SPEAKER] * len(voices) for voices in windows]
    numbers = [match_voices(voices, means, least=-1.0) for voices in windows]
    order = list(dict.fromkeys(number for window in numbers for number in window if number != NO_SPEAKER))
    return [[NO_SPEAKER if number == NO_SPEAKER else order.index(number) for number in window] for window in numbers]


def _means(windows: Iterable[Sequence[LocalVoice]], hint: SpeakerHint) -> np.ndarray:
    """Return the centroid of each speaker, shape (speakers, width)."""
    sums = [each for block in _blocks(windows) for each in _cluster(block, hint)]
    return directions(_join_alike(np.stack(sums), hint)) if sums else NOBODY


def _blocks(windows: Iterable[Sequence[LocalVoice]]) -> Iterator[list[tuple[int, LocalVoice]]]:
    """Yield the voices to cluster, each with its window's index, about LARGEST at a time."""
    block: list[tuple[int, LocalVoice]] = []
    for index, voices in enumerate(windows):
        block += [(index, voice) for voice in voices if is_founding(voice)]
        if len(block) >= LARGEST:
            yield block
            block = []
    if block:
        yield block


def _cluster(block: Sequence[tuple[int, LocalVoice]], hint: SpeakerHint) -> list[np.ndarray]:
    """Return the sum of each cluster's embeddings in `block`, weighted by seconds, shape (width,)."""
    prints = np.array([voice.print for _, voice in block])
    seconds = np.array([voice.clean_s for _, voice in block])
    labels = _agglomerate(prints, np.array([index for index, _ in block]), hint)
    weighted = prints * seconds[:, None]
    return [weighted[labels == label].sum(axis=0) for label in np.unique(labels)]


def _join_alike(sums: np.ndarray, hint: SpeakerHint) -> np.ndarray:
    """Merge the two most similar of `sums`, shape (clusters, width), as long as they are alike or exceed the hint's
    maximum, and their number exceeds its minimum.
    """
    units = directions(sums)
    similar = units @ units.T
    np.fill_diagonal(similar, -APART)
    while len(sums) > hint.minimum:
        kept, gone = sorted(np.unravel_index(similar.argmax(), similar.shape))
        is_too_many = hint.maximum is not None and len(sums) > hint.maximum
        if similar[kept, gone] < SAME_SPEAKER and not is_too_many:
            break
        sums[kept] += sums[gone]
        sums, similar = np.delete(sums, gone, axis=0), np.delete(np.delete(similar, gone, axis=0), gone, axis=1)
        similar[kept] = similar[:, kept] = directions(sums) @ directions(sums[kept : kept + 1])[0]
        similar[kept, kept] = -APART
    return sums


def _agglomerate(prints: np.ndarray, windows: np.ndarray, hint: SpeakerHint) -> np.ndarray:
    """Return the cluster of each embedding: int, shape (n,)."""
    from scipy.cluster.hierarchy import cut_tree, fcluster, linkage
    from scipy.spatial.distance import squareform

    if len(prints) == 1:
        return np.ones(1, int)
    distances = 1.0 - prints @ prints.T
    distances[(windows[:, None] == windows) & (distances > 1.0 - SURE_SPEAKER)] = APART
    np.fill_diagonal(distances, 0.0)
    tree = linkage(squareform(distances.clip(min=0.0), checks=False), "average")
    labels = fcluster(tree, 1.0 - SAME, "distance")
    count = int(np.clip(labels.max(), hint.minimum, hint.maximum))
    return labels if labels.max() == count else cut_tree(tree, n_clusters=min(count, len(prints)))[:, 0]
