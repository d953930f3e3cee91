"""What swaps took, step by step, and what the next one will take."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

REMEMBERED = 200
"""Swaps."""
RECENT = 20
"""Swaps that an expectation is made from: the machine's other work changes through the day."""


class Direction(StrEnum):
    TO_SUMMARIZATION = "to summarization"
    TO_TRANSCRIPTION = "to transcription"


class Outcome(StrEnum):
    COMPLETED = "completed"
    FAILED = "failed"
    """Something could not be moved; captions were restored unless the reason says otherwise."""
    CANCELLED = "cancelled"
    BUSY = "busy"
    """A model was in use for too long; nothing was moved."""


class StepKind(StrEnum):
    """What a swap is made of, in this order for each group."""

    DRAIN = "drain"
    """Waiting for uses to end."""
    SLEEP = "sleep"
    """Freeing a model's device memory."""
    RELEASE = "release"
    """Handing freed memory back: garbage collection, allocators' caches."""
    LOAD = "load"
    """From disk; once for each model."""
    KEEP_COPY = "keep copy"
    """Making the copy that later wakes come from; once for each model."""
    WAKE = "wake"
    """Weights to the device, checksum included."""
    WARM_UP = "warm-up"
    SETTLE = "settle"
    """Taking what was loaded out of later garbage collections; once for each group."""


@dataclass(frozen=True, slots=True)
class Step:
    """One finished step."""

    kind: StepKind
    model: str
    """Empty for steps of the whole group."""
    seconds: float
    size: int = 0
    """Bytes moved or freed."""

    @property
    def gigabytes_per_second(self) -> float:
        """10⁹ bytes a second; 0.0 where nothing was moved."""
        return self.size / self.seconds / 1e9 if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class SwapRecord:
    """One swap, completed or not."""

    direction: Direction
    outcome: Outcome
    steps: tuple[Step, ...]
    seconds: float
    """From the call to its end, the way back of a failed swap included."""
    reason: str = ""
    """Why it was not completed."""

    def seconds_of(self, kind: StepKind) -> float:
        """Of all models."""
        return sum(step.seconds for step in self.steps if step.kind is kind)

    def size_of(self, kind: StepKind) -> int:
        """Bytes of all models."""
        return sum(step.size for step in self.steps if step.kind is kind)

    @property
    def gigabytes_per_second(self) -> float:
        """10⁹ bytes a second over all wakes, checksums included; 0.0 where nothing woke."""
        seconds = self.seconds_of(StepKind.WAKE)
        return self.size_of(StepKind.WAKE) / seconds / 1e9 if seconds else 0.0


class SwapHistory:
    """The last swaps and pauses of this process. Only its pool adds to it."""

    def __init__(self) -> None:
        self._records: deque[SwapRecord] = deque(maxlen=REMEMBERED)
        self.count = 0
        """Swaps so far, those no longer remembered included."""
        self._pauses: deque[float] = deque(maxlen=RECENT)

    def add(self, record: SwapRecord) -> None:
        self._records.append(record)
        self.count += 1

    def add_pause(self, seconds: float) -> None:
        """Captions were away for `seconds`, the writing of the summary included."""
        self._pauses.append(seconds)

    def since(self, count: int) -> list[SwapRecord]:
        """Return the swaps after the first `count`, as far as they are remembered; oldest first."""
        new = self.count - count
        return list(self._records)[-new:] if new > 0 else []

    def __iter__(self) -> Iterator[SwapRecord]:
        """Oldest first."""
        return iter(tuple(self._records))

    def expected_s(self) -> float | None:
        """Median of the earlier pauses, from the last caption before to the first that may come after; None: none."""
        return statistics.median(self._pauses) if self._pauses else None

    def expected_swap_s(self, direction: Direction) -> float | None:
        """Median seconds of earlier completed swaps that way; None: none."""
        seconds = [
            record.seconds
            for record in self._records
            if record.direction is direction and record.outcome is Outcome.COMPLETED
        ]
        return statistics.median(seconds[-RECENT:]) if seconds else None
