"""Cut spoken text into subtitles of one or two lines: of all ways, the one that costs least."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import inf

from meetings.export.line_breaks import Limits, columns

SHORTEST_MS, LONGEST_MS, GAP_MS = 1_000, 7_000, 80
"""Of a subtitle, and between two: Netflix' two frames, at 25 frames a second."""
SHORT_MS = SHORTEST_MS - GAP_MS
"""So much is long enough, as the next one can wait for two frames."""
LINGER_MS = 1_500
"""A subtitle stays this long after its words at most (BBC 5.2)."""
WALL_MS = 1_500
"""No subtitle stays over such a pause (BBC 4.5)."""

SUBTITLE = 5.0
"""Cost of each subtitle, in that of `line_breaks`, so that fewer are better."""
TOO_SHORT = 20.0
"""Cost of each second that is missing."""
TOO_FAST = 5.0
"""Cost of twice the speed."""
SLOWEST = 4.0
"""Multiple of the speed beyond which it is all the same."""
PAUSE = 6.0
"""What a second of silence makes a cut cheaper."""
SECOND_LINE = 0.5
"""Weight of the break between two lines."""
UNEVEN = 1.5
"""Cost of two lines of which one is empty."""


@dataclass(frozen=True, slots=True)
class TimedPiece:
    """Text that stays on one line, and when it is spoken."""

    text: str
    space: str
    """What stands before it on the same line."""
    cost: float
    """Of a cut before it."""
    start_ms: int
    end_ms: int


class Cutter:
    """The pieces of a turn as a table: `_starts[3]` is when piece 3 begins, `_left[3]` the column where it does."""

    def __init__(self, pieces: Sequence[TimedPiece], limits: Limits, next_ms: float = inf) -> None:
        """`next_ms`: when the first subtitle after the turn begins."""
        self._pieces = pieces
        self._columns, self._column_ms = limits.columns, 1000 / limits.fastest
        self._starts = [*(piece.start_ms for piece in pieces), next_ms]
        self._ends = [piece.end_ms for piece in pieces]
        self._pauses = [0, *(after.start_ms - before.end_ms for before, after in pairwise(pieces))]
        costs = (
            piece.cost - PAUSE * min(pause, WALL_MS) / 1000 for piece, pause in zip(pieces, self._pauses, strict=True)
        )
        self._costs = [*costs, 0.0]
        self._breaks = [max(cost, 0.0) for cost in self._costs]
        self._left, self._right = self._places()
        self._reach = self._longest_lines()
        self._last_line = self._last_lines()
        self._stops = self._last_ends()
        self._gone = [
            min(start - GAP_MS, end + LINGER_MS) for start, end in zip(self._starts[1:], self._ends, strict=True)
        ]

    def subtitles(self) -> list[tuple[int, int]]:
        """Return the first piece and the end (exclusive) of each subtitle."""
        costs, origins = [0.0, *[inf] * len(self._pieces)], [0] * (len(self._pieces) + 1)
        for first in range(len(self._pieces)):
            for end, cost in self._costs_from(first):
                if costs[first] + cost < costs[end]:
                    costs[end], origins[end] = costs[first] + cost, first
        found, end = [], len(self._pieces)
        while end:
            found.append((origins[end], end))
            end = origins[end]
        return found[::-1]

    def lines(self, first: int, end: int) -> tuple[str, ...]:
        """Return a subtitle as one line, or two if it is too long for one."""
        if self._reach[first] >= end:
            return (self._line(first, end),)
        middle = min(self._middles(first, end), key=lambda place: self._cost_of_lines(first, place, end))
        return self._line(first, middle), self._line(middle, end)

    def _places(self) -> tuple[list[int], list[int]]:
        left, right, place = [], [], 0
        for piece in self._pieces:
            left.append(place + len(piece.space))
            place = left[-1] + columns(piece.text)
            right.append(place)
        return left, right

    def _longest_lines(self) -> list[int]:
        """Return the end of the longest line from each piece; a piece that is too long is a line too."""
        ends, end = [], 0
        for first, left in enumerate(self._left):
            end = max(end, first + 1)
            while end < len(self._pieces) and self._right[end] - left <= self._columns:
                end += 1
            ends.append(end)
        return ends

    def _last_lines(self) -> list[int]:
        """Return the first piece of the longest line to each end."""
        firsts, first = [0], 0
        for end in range(1, len(self._pieces) + 1):
            while self._reach[first] < end:
                first += 1
            firsts.append(first)
        return firsts

    def _last_ends(self) -> list[int]:
        """Return where the longest subtitle from each piece ends: one piece at least."""
        ends, end = [], 0
        for first, (start, reach) in enumerate(zip(self._starts, self._reach, strict=False)):
            end = max(end, first + 1)
            while end < len(self._pieces) and self._pauses[end] < WALL_MS and self._ends[end] - start <= LONGEST_MS:
                end += 1
            ends.append(min(end, self._reach[reach] if reach < len(self._pieces) else reach))
        return ends

    def _middles(self, first: int, end: int) -> range:
        """Return where the second line may begin."""
        return range(max(self._last_line[end], first + 1), self._reach[first] + 1)

    def _costs_from(self, first: int) -> Iterator[tuple[int, float]]:
        """Yield the ends of the subtitles that may begin with piece `first`, with their costs."""
        left, start, reach = self._left[first], self._starts[first], self._reach[first]
        cheapest = self._cheapest_breaks(first)
        for end in range(first + 1, self._stops[first] + 1):
            cost = SUBTITLE + self._costs[end]
            if end > reach:
                cost += SECOND_LINE * cheapest[reach - max(self._last_line[end], first + 1)]
            time_ms = max(1, min(self._gone[end - 1], start + LONGEST_MS) - start)
            if time_ms < SHORT_MS:
                cost += TOO_SHORT * (SHORT_MS - time_ms) / 1000
            needed_ms = (self._right[end - 1] - left) * self._column_ms
            if needed_ms > time_ms:
                cost += TOO_FAST * min(needed_ms / time_ms - 1, SLOWEST)
            yield end, cost

    def _cheapest_breaks(self, first: int) -> list[float]:
        """Return the cost of the cheapest break from each place on where the first line can end, from last to first."""
        return list(accumulate(self._breaks[self._reach[first] : first : -1], min))

    def _cost_of_lines(self, first: int, middle: int, end: int) -> float:
        one = self._right[middle - 1] - self._left[first]
        other = self._right[end - 1] - self._left[middle]
        return SECOND_LINE * self._breaks[middle] + UNEVEN * abs(one - other) / self._columns

    def _line(self, first: int, end: int) -> str:
        opening, *others = self._pieces[first:end]
        return opening.text + "".join(piece.space + piece.text for piece in others)
