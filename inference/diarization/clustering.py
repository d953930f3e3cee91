"""From voice prints to speakers: one by one while a meeting runs, all together afterwards.

Two voices of one window are two people (cannot-link), unless their prints leave no doubt: the segmentation sometimes
takes a voice after a pause for another one. Similarities are cosines. With CAM++
and two seconds of clean speech, 95 % of those of one voice lie above 0.6 and 95 % of two voices below 0.3
(`docs/speakers.md`), so the thresholds stand in a wide gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import cut_tree, fcluster, linkage
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import squareform

from inference.diarization.local_speakers import LocalVoice
from inference.diarization.turns import UNSURE

SAME = 0.45
"""Similarity from which on a print is of a known voice."""

GUESS = 0.15
"""The same for a print of less than FOUNDING_S, which is too rough to tell of a new voice."""

SURE = 0.55
"""Similarity from which on two voices of one window are one person nevertheless."""

FOUNDING_S = 1.0
"""Seconds of clean speech that make a new speaker known."""

ALIKE = 0.5
"""Similarity of two clusters' directions from which on they are one speaker: means of many prints waver less than
prints, so what the tree of single prints left divided is joined, wherever it was cut."""

LARGEST = 2000
"""Prints clustered at once, or a few more: time and memory grow with the square."""

APART = 2.0
"""Cosine distance of opposites: that of two voices in one window."""

NOBODY = np.zeros((0, 0), np.float32)
"""The directions of no speakers."""


@dataclass(frozen=True, slots=True)
class SpeakerHint:
    """How many people take part, as far as the host knows; exact when both are equal."""

    minimum: int = 1
    maximum: int | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for bounds that nobody can keep."""
        if self.minimum < 1 or (self.maximum is not None and self.maximum < self.minimum):
            raise ValueError(f"no number of speakers lies between {self.minimum} and {self.maximum}")


class SpeakerRegistry:
    """The voices of a running meeting, by number: a speaker who returns gets the number from before.

    It holds one direction for each speaker, in memory only.
    """

    def __init__(self, *, maximum: int | None = None, first: int = 0) -> None:
        """`maximum` speakers at most, which may change; numbers count from `first`."""
        self.maximum = maximum
        self._first = first
        self._sums: list[np.ndarray] = []

    def __len__(self) -> int:
        return len(self._sums)

    @property
    def next_number(self) -> int:
        """The number of the next new voice."""
        return self._first + len(self._sums)

    def recognise(self, voices: Sequence[LocalVoice]) -> list[int]:
        """The number of each voice of one window, or UNSURE."""
        numbers = match_voices(voices, self._directions(), least=GUESS if self._is_full else SAME)
        for index, voice in enumerate(voices):
            if numbers[index] == UNSURE and is_founding(voice) and not self._is_full:
                self._sums.append(np.zeros_like(voice.print))
                numbers[index] = len(self._sums) - 1
            if numbers[index] != UNSURE:
                self._learn(numbers[index], voice)
        return [number if number == UNSURE else number + self._first for number in numbers]

    def _directions(self) -> np.ndarray:
        return directions(self._sums) if self._sums else NOBODY

    @property
    def _is_full(self) -> bool:
        return self.maximum is not None and len(self._sums) >= self.maximum

    def _learn(self, known: int, voice: LocalVoice) -> None:
        if voice.print is not None and is_founding(voice):
            self._sums[known] = self._sums[known] + voice.clean_s * voice.print


def is_founding(voice: LocalVoice) -> bool:
    """Whether its print is good enough to make a speaker known."""
    return voice.print is not None and voice.clean_s >= FOUNDING_S


def match_voices(voices: Sequence[LocalVoice], known: np.ndarray, *, least: float) -> list[int]:
    """For each voice of one window the row of `known`, directions of shape (speakers, width), that it is; or UNSURE.

    Together they get the most similar choice (Kuhn-Munkres). Prints of enough clean speech must be as similar as
    `least`, others as GUESS.
    """
    numbers = [UNSURE] * len(voices)
    heard = [index for index, voice in enumerate(voices) if voice.print is not None]
    if not heard or not len(known):
        return numbers
    similar = np.array([voices[index].print for index in heard]) @ known.T
    enough = similar >= np.array([least if is_founding(voices[index]) else GUESS for index in heard])[:, None]
    # A pair that is not similar enough must never cost a pair that is.
    pairs = zip(*linear_sum_assignment(np.where(enough, similar + APART, 0.0), maximize=True), strict=True)
    chosen = {row: column for row, column in pairs if enough[row, column]}
    for row, index in enumerate(heard):
        best = int(similar[row].argmax())
        is_sure = similar[row, best] >= SURE
        numbers[index] = best if is_sure else int(chosen.get(row, UNSURE))
    return numbers


def directions(sums: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """Each of `sums` at length 1: shape (len(sums), width)."""
    stacked = np.asarray(sums)
    return stacked / np.linalg.norm(stacked, axis=1, keepdims=True)


def cluster_windows(windows: Sequence[Sequence[LocalVoice]], hint: SpeakerHint) -> list[list[int]]:
    """The number of each voice in each window, or UNSURE, knowing the whole recording.

    Prints of enough clean speech are clustered (agglomerative, average linkage), about LARGEST at a time so that hours
    take little more memory than minutes, and clusters whose means are alike are joined. Then every print goes to the
    nearest mean, those of one window to different ones. Numbers count from 0 in order of appearance.
    """
    means = _means(windows, hint)
    if not len(means):
        return [[UNSURE] * len(voices) for voices in windows]
    numbers = [match_voices(voices, means, least=-1.0) for voices in windows]
    order = list(dict.fromkeys(number for window in numbers for number in window if number != UNSURE))
    return [[UNSURE if number == UNSURE else order.index(number) for number in window] for window in numbers]


def _means(windows: Iterable[Sequence[LocalVoice]], hint: SpeakerHint) -> np.ndarray:
    """The direction of each speaker, shape (speakers, width)."""
    sums = [each for block in _blocks(windows) for each in _cluster(block, hint)]
    return directions(_join_alike(np.stack(sums), hint)) if sums else NOBODY


def _blocks(windows: Iterable[Sequence[LocalVoice]]) -> Iterator[list[tuple[int, LocalVoice]]]:
    """The voices to cluster, each with its window's index, about LARGEST at a time."""
    block: list[tuple[int, LocalVoice]] = []
    for index, voices in enumerate(windows):
        block += [(index, voice) for voice in voices if is_founding(voice)]
        if len(block) >= LARGEST:
            yield block
            block = []
    if block:
        yield block


def _cluster(block: Sequence[tuple[int, LocalVoice]], hint: SpeakerHint) -> list[np.ndarray]:
    """For each cluster of `block` the sum of its prints by their seconds, shape (width,)."""
    prints = np.array([voice.print for _, voice in block])
    seconds = np.array([voice.clean_s for _, voice in block])
    labels = _agglomerate(prints, np.array([index for index, _ in block]), hint)
    weighted = prints * seconds[:, None]
    return [weighted[labels == label].sum(axis=0) for label in np.unique(labels)]


def _join_alike(sums: np.ndarray, hint: SpeakerHint) -> np.ndarray:
    """Adds up the most similar two of `sums`, shape (clusters, width), while they are alike or more than `hint` allows,
    and more are left than it asks for."""
    units = directions(sums)
    similar = units @ units.T
    np.fill_diagonal(similar, -APART)
    while len(sums) > hint.minimum:
        kept, gone = sorted(np.unravel_index(similar.argmax(), similar.shape))
        is_too_many = hint.maximum is not None and len(sums) > hint.maximum
        if similar[kept, gone] < ALIKE and not is_too_many:
            break
        sums[kept] += sums[gone]
        sums, similar = np.delete(sums, gone, axis=0), np.delete(np.delete(similar, gone, axis=0), gone, axis=1)
        similar[kept] = similar[:, kept] = directions(sums) @ directions(sums[kept : kept + 1])[0]
        similar[kept, kept] = -APART
    return sums


def _agglomerate(prints: np.ndarray, windows: np.ndarray, hint: SpeakerHint) -> np.ndarray:
    """The cluster of each print: int, shape (n,)."""
    if len(prints) == 1:
        return np.ones(1, int)
    distances = 1.0 - prints @ prints.T
    distances[(windows[:, None] == windows) & (distances > 1.0 - SURE)] = APART
    np.fill_diagonal(distances, 0.0)
    tree = linkage(squareform(distances.clip(min=0.0), checks=False), "average")
    labels = fcluster(tree, 1.0 - SAME, "distance")
    count = int(np.clip(labels.max(), hint.minimum, hint.maximum))
    return labels if labels.max() == count else cut_tree(tree, n_clusters=min(count, len(prints)))[:, 0]
