"""Combine overlapping windows by voting: several windows cover each moment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from inference.diarization.local_speakers import WINDOW_CELLS, LocalVoice
from inference.diarization.segmentation import VOICES_AT_ONCE

PIECE = 30_000
"""Cells per voting step; ranking needs much more memory than the votes."""


@dataclass(frozen=True, slots=True, eq=False)
class HeardWindow:
    """A window with the speakers recognized in it."""

    start: int
    """Its first cell; negative if it begins before the meeting."""
    voices: tuple[LocalVoice, ...]
    numbers: tuple[int, ...]
    """The speaker of each voice, or NO_SPEAKER."""


def vote(windows: Iterable[HeardWindow], start: int, end: int) -> tuple[np.ndarray, list[int]]:
    """Return who speaks in the cells [start, end): bool, shape (end - start, speakers), and the speaker numbers.

    The number of speakers in a cell is the average over its windows (Bredin et al. 2020, "pyannote.audio: neural
    building blocks for speaker diarization"). The ones with most votes are chosen.
    """
    near = [window for window in windows if window.start < end and window.start + WINDOW_CELLS > start]
    numbers = sorted({number for window in near for number in window.numbers}, reverse=True)  # NO_SPEAKER loses ties
    votes = np.zeros((end - start, len(numbers)), np.int8)
    heard = np.zeros(end - start, np.int8)
    spoken = np.zeros(end - start, np.int8)
    for window in near:
        first, last = max(start, window.start), min(end, window.start + WINDOW_CELLS)
        there, inside = slice(first - start, last - start), slice(first - window.start, last - window.start)
        heard[there] += 1
        for voice, number in zip(window.voices, window.numbers, strict=True):
            spoken[there] += voice.active[inside]
            votes[there, numbers.index(number)] += voice.active[inside]
    pieces = [slice(first, first + PIECE) for first in range(0, end - start, PIECE)]
    elected = [_elect(votes[piece], spoken[piece] / np.maximum(heard[piece], 1)) for piece in pieces]
    return np.concatenate([votes[:0] > 0, *elected]), numbers


def _elect(votes: np.ndarray, seats: np.ndarray) -> np.ndarray:
    """Return the `seats` speakers (rounded) with most votes in each cell: bool, the shape of `votes`."""
    ranks = np.argsort(np.argsort(-votes, axis=1, kind="stable"), axis=1, kind="stable")
    return (ranks < np.minimum(np.rint(seats), VOICES_AT_ONCE)[:, None]) & (votes > 0)
