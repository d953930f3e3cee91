"""Turns: who speaks from when to when. Times are seconds since the meeting's first sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CELL_S = 0.02
"""Seconds of a cell: time is cut into cells in which a speaker speaks or does not."""

SHORTEST_TURN = 10
"""Cells that make a turn: 0.2 s."""

SHORTEST_PAUSE = 75
"""Cells that make a pause: 1.5 s. Within less the same voice has not stopped: people who mark turns see it so too."""

UNSURE = -1
"""Instead of a speaker's number: somebody speaks, and it cannot be said who."""


@dataclass(frozen=True, slots=True)
class SpeakerTurn:
    """One voice without a pause. Turns of two voices may overlap."""

    start: float
    end: float
    speaker: str | None
    """`S1`, `S2`, … in the order in which voices were first known; None: somebody, and it cannot be said who."""


@dataclass(frozen=True, slots=True)
class SpeakerTurns:
    """What is known now about the time from `start` to `end`; it replaces all that was said about it before."""

    start: float
    end: float
    turns: tuple[SpeakerTurn, ...]
    """In order of their starts, cut at `start` and `end`."""


def speaker_name(number: int) -> str | None:
    """The id of the speaker with this number, counted from 0; None for UNSURE."""
    return None if number == UNSURE else f"S{number + 1}"


def turns_of(active: np.ndarray, numbers: Sequence[int], *, start: int) -> tuple[SpeakerTurn, ...]:
    """Turns of `active`, bool, shape (cells, speakers): its columns are the speakers `numbers`, its first cell `start`.

    Short pauses are filled and short turns left out, except where they touch the edges and may go on beyond.
    """
    turns = [
        SpeakerTurn(round((start + first) * CELL_S, 2), round((start + last) * CELL_S, 2), speaker_name(number))
        for column, number in zip(active.T, numbers, strict=True)
        for first, last in smoothed_spans(column)
    ]
    return tuple(sorted(turns, key=lambda turn: (turn.start, turn.end, turn.speaker or "")))


def smoothed_spans(active: np.ndarray) -> list[tuple[int, int]]:
    """Half-open spans in which `active`, bool, shape (cells,), holds, without short pauses and short spans."""
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
    """Half-open spans in which `active`, bool, shape (cells,), holds."""
    padded = np.concatenate(([False], active, [False]))
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
