"""Quality of live captions by word: latencies, errors and flicker of the displayed text.

A word is first shown when it first appears in its place, displayed when it stays there, and committed when it stays
there in final text. Flicker is the number of words shown and later changed or removed, per final word: normalized
erasure (Arivazhagan et al. 2020, "Re-translation versus streaming for simultaneous translation").
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
LOOKAHEAD = 12
"""Number of final words beyond the shown ones that a shown word may match."""


@dataclass(frozen=True, slots=True)
class Screen:
    """The displayed text from `at` on (seconds since the first audio was sent)."""

    at: float
    final: str
    partial: str


@dataclass(frozen=True, slots=True)
class SpokenWord:
    text: str
    end: float
    """Seconds."""


@dataclass(frozen=True, slots=True)
class Score:
    """Score of one recording. Latencies are seconds from a word's end, one for each correctly recognized word."""

    reference_words: int
    errors: int
    """Substitutions, deletions and insertions."""
    final_words: int
    erased: int
    """Words shown and later changed or removed."""
    first: tuple[float, ...]
    display: tuple[float, ...]
    commit: tuple[float, ...]

    @property
    def word_error_rate(self) -> float:
        return self.errors / max(1, self.reference_words)

    @property
    def erasure(self) -> float:
        return self.erased / max(1, self.final_words)


def words_of(text: str) -> list[str]:
    """Return the words in lower case, without punctuation; `%` is a word."""
    return WORD.findall(unicodedata.normalize("NFKC", text).lower().replace("%", " percent "))


def word_errors(reference: Sequence[str], spoken: Sequence[str]) -> int:
    """Return the Levenshtein distance in words."""
    previous = list(range(len(spoken) + 1))
    for row, expected in enumerate(reference, 1):
        current = [row]
        for column, actual in enumerate(spoken, 1):
            substituted = previous[column - 1] + (expected != actual)
            current.append(min(previous[column] + 1, current[-1] + 1, substituted))
        previous = current
    return previous[-1]


def score(timeline: Sequence[Screen], spoken: Sequence[SpokenWord], reference: str | None = None) -> Score:
    """Score the screens of one recording, in order; the last one holds the final captions.

    `reference` is the text for the errors, by default that of the spoken words.
    """
    final = words_of(f"{timeline[-1].final} {timeline[-1].partial}")
    said = [(word, spoke.end) for spoke in spoken for word in words_of(spoke.text)]
    target = words_of(reference) if reference else [word for word, _ in said]
    standing = _Standing(final)
    for screen in timeline:
        standing.show(screen)
    pairs = _understood(said, final)
    return Score(
        reference_words=len(target),
        errors=word_errors(target, final),
        final_words=len(final),
        erased=standing.erased,
        first=_latencies(pairs, standing.first),
        display=_latencies(pairs, standing.shown),
        commit=_latencies(pairs, standing.committed),
    )


class _Standing:
    """Tracks since when each word of the final text has been in its place."""

    def __init__(self, final: list[str]) -> None:
        self._final = final
        self.first: list[float | None] = [None] * len(final)
        self.shown: list[float | None] = [None] * len(final)
        self.committed: list[float | None] = [None] * len(final)
        self.erased = 0
        self._before: list[str] = []

    def show(self, screen: Screen) -> None:
        committed = words_of(screen.final)
        shown = committed + words_of(screen.partial)
        self.erased += len(self._before) - _common(shown, self._before)
        self._before = shown
        _note(self.shown, places(shown, self._final), screen.at)
        _note(self.committed, places(committed, self._final), screen.at)
        self.first = [early if early is not None else now for early, now in zip(self.first, self.shown, strict=True)]


def _note(since: list[float | None], standing: set[int], at: float) -> None:
    for place in range(len(since)):
        if place not in standing:
            since[place] = None
        elif since[place] is None:
            since[place] = at


def places(shown: Sequence[str], final: Sequence[str]) -> set[int]:
    """Return the indices of the final words on the screen: the common prefix, then matches nearby."""
    same = _common(shown, final)
    rest = shown[same:]
    standing = set(range(same))
    if rest:
        nearby = final[same : same + len(rest) + LOOKAHEAD]
        for block in SequenceMatcher(None, rest, nearby, autojunk=False).get_matching_blocks():
            standing.update(range(same + block.b, same + block.b + block.size))
    return standing


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Return the length of the common prefix."""
    length = 0
    while length < min(len(one), len(other)) and one[length] == other[length]:
        length += 1
    return length


def _understood(said: list[tuple[str, float]], final: list[str]) -> list[tuple[int, float]]:
    """Return the index and end time of each final word that was really spoken."""
    blocks = SequenceMatcher(None, [word for word, _ in said], final, autojunk=False).get_matching_blocks()
    return [(block.b + step, said[block.a + step][1]) for block in blocks for step in range(block.size)]


def _latencies(pairs: list[tuple[int, float]], since: list[float | None]) -> tuple[float, ...]:
    return tuple(at - end for place, end in pairs if (at := since[place]) is not None)
