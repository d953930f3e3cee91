"""Speaker turns. Times are seconds since the meeting's first sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CELL_S = 0.02
"""Seconds per cell, the time resolution of speaker activity."""

SHORTEST_TURN = 10
"""Minimum cells in a turn: 0.2 s."""

SHORTEST_PAUSE = 75
"""Minimum cells in a pause: 1.5 s. A shorter gap does not end a turn, as in manual annotation."""

NO_SPEAKER = -1
"""Number for speech whose speaker is unknown."""


@dataclass(frozen=True, slots=True)
class SpeakerTurn:
    """Speech of one speaker without a pause. Turns of different speakers may overlap."""

    start: float
    end: float
    speaker: str | None
    """`S1`, `S2`, … in the order in which speakers were first recognized; None if the speaker is unknown."""


@dataclass(frozen=True, slots=True)
class SpeakerTurns:
    """The turns from `start` to `end`. They replace all earlier turns of this period."""

    start: float
    end: float
    turns: tuple[SpeakerTurn, ...]
    """Ordered by start, cut at `start` and `end`."""


def speaker_name(number: int) -> str | None:
    """Return the id of the speaker with this number, counted from 0; None for NO_SPEAKER."""
    return None if number == NO_SPEAKER else f"S{number + 1}"


def turns_of(active: np.ndarray, numbers: Sequence[int], *, start: int) -> tuple[SpeakerTurn, ...]:
    """Return the turns of `active`, bool, shape (cells, speakers), with columns for `numbers` and first cell `start`.

    Short pauses are filled and short turns dropped, except at the edges, beyond which they may continue.
    """
    turns = [
        SpeakerTurn(round((start + first) * CELL_S, 2), round((start + last) * CELL_S, 2), speaker_name(number))
        for column, number in zip(active.T, numbers, strict=True)
        for first, last in smoothed_spans(column)
    ]
    return tuple(sorted(turns, key=lambda turn: (turn.start, turn.end, turn.speaker or "")))


def smoothed_spans(active: np.ndarray) -> list[tuple[int, int]]:
    """Return half-open spans in which `active`, bool, shape (cells,), is true, without short pauses and short spans."""
    merged: list[tuple[int, int]] = []
    for first, last in spans(active):
        if merged and first - merged[-1][1] < SHORTEST_PAUSE:
            merged[-1] = (merged[-1][0], last)
        else:
            merged.append((first, last))
    edges = (0, len(active))
    return [
        (first, last)
        for first, last in merged
        if last - first >= SHORTEST_TURN or first == edges[0] or last == edges[1]
    ]


def spans(active: np.ndarray) -> list[tuple[int, int]]:
    """Return half-open spans in which `active`, bool, shape (cells,), is true."""
    padded = np.concatenate(([False], active, [False]))
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
