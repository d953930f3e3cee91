"""The duration of past swaps, step by step, and an estimate for the next one."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

REMEMBERED = 200
"""Number of swaps kept."""
RECENT = 20
"""Number of swaps in an estimate. Only recent ones count, because the machine's other load changes during the day."""


class Direction(StrEnum):
    TO_SUMMARIZATION = "to summarization"
    TO_TRANSCRIPTION = "to transcription"


class SwapOutcome(StrEnum):
    COMPLETED = "completed"
    FAILED = "failed"
    """A model could not be moved; captions were restored unless the reason says otherwise."""
    CANCELLED = "cancelled"
    BUSY = "busy"
    """A model was in use for too long; nothing was moved."""


class StepKind(StrEnum):
    """The steps of a swap, in the order in which each group runs them."""

    DRAIN = "drain"
    """Wait for uses to end."""
    SLEEP = "sleep"
    """Free a model's device memory."""
    RELEASE = "release"
    """Return freed memory: garbage collection and allocator caches."""
    LOAD = "load"
    """Load from disk; once per model."""
    KEEP_COPY = "keep copy"
    """Make the copy that later wakes read from; once per model."""
    WAKE = "wake"
    """Upload the weights to the device and verify the checksum."""
    WARM_UP = "warm-up"
    SETTLE = "settle"
    """Exclude loaded objects from later garbage collections; once per group."""


@dataclass(frozen=True, slots=True)
class Step:
    """One finished step."""

    kind: StepKind
    model: str
    """Empty for steps that concern the whole group."""
    seconds: float
    size: int = 0
    """Bytes moved or freed."""

    @property
    def gigabytes_per_second(self) -> float:
        """Throughput in 10⁹ bytes per second; 0.0 if nothing was moved."""
        return self.size / self.seconds / 1e9 if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class SwapRecord:
    """One swap, completed or not."""

    direction: Direction
    outcome: SwapOutcome
    steps: tuple[Step, ...]
    seconds: float
    """Total duration, including the restore after a failed swap."""
    reason: str = ""
    """Why the swap was not completed."""

    def seconds_of(self, kind: StepKind) -> float:
        """Return the total time of this step over all models."""
        return sum(step.seconds for step in self.steps if step.kind is kind)

    def size_of(self, kind: StepKind) -> int:
        """Return the total bytes of this step over all models."""
        return sum(step.size for step in self.steps if step.kind is kind)

    @property
    def gigabytes_per_second(self) -> float:
        """Throughput in 10⁹ bytes per second over all wakes, including checksums; 0.0 if no model woke."""
        seconds = self.seconds_of(StepKind.WAKE)
        return self.size_of(StepKind.WAKE) / seconds / 1e9 if seconds else 0.0


class SwapHistory:
    """The most recent swaps and pauses of this process. Only its pool adds to it."""

    def __init__(self) -> None:
        self._records: deque[SwapRecord] = deque(maxlen=REMEMBERED)
        self.count = 0
        """Number of swaps so far, including those that were discarded."""
        self._pauses: deque[float] = deque(maxlen=RECENT)

    def add(self, record: SwapRecord) -> None:
        self._records.append(record)
        self.count += 1

    def add_pause(self, seconds: float) -> None:
        """Record that captions were paused for `seconds`, including the time to write the summary."""
        self._pauses.append(seconds)

    def since(self, count: int) -> list[SwapRecord]:
        """Return the swaps after the first `count`, as far as they are kept, oldest first."""
        new = self.count - count
        return list(self._records)[-new:] if new > 0 else []

    def __iter__(self) -> Iterator[SwapRecord]:
        """Iterate over the swaps, oldest first."""
        return iter(tuple(self._records))

    def expected_s(self) -> float | None:
        """Return the median pause, from the start of the drain to the return of captions, or None if none."""
        return statistics.median(self._pauses) if self._pauses else None
