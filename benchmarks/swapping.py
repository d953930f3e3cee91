"""Shared by the swap benchmarks: cycles of a pool, timed by its own records."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from inference.models.residency.history import StepKind, SwapRecord
from inference.models.residency.pool import ModelPool

MIB = 2**20
SETTLED = 3
"""Cycles until the allocators are stable."""


def time_cycles(pool: ModelPool, cycles: int, used: Callable[[], int]) -> dict[str, Any]:
    """Swap back and forth `cycles` times. `used` returns the bytes in use and is called after each swap.

    The first cycle, which loads the summarizer, is reported separately. The pool itself compares the results: a warm-up
    run with another result than at the load ends the benchmark.
    """
    there: list[SwapRecord] = []
    back: list[SwapRecord] = []
    captions, summary = [used()], []
    spent_from = time.process_time()
    for cycle in range(cycles + 1):
        if cycle == 1:
            spent_from = time.process_time()
        there += _made(pool.swap_to_summarization())
        summary.append(used())
        back += _made(pool.swap_to_transcription())
        captions.append(used())
    spent = time.process_time() - spent_from
    outages = [out.seconds + home.seconds for out, home in zip(there[1:], back[1:], strict=True)]
    return {
        "plan": pool.plan.sentence,
        "cycles": cycles,
        "first_to_summarization": _steps(there[:1]),
        "to_summarization": _steps(there[1:]),
        "to_transcription": _steps(back[1:]),
        "outage_without_generation_s": spread(outages),
        "cpu_s_per_cycle": round(spent / cycles, 3),
        "memory_mib": {"captions": _memory(captions[1:]), "summary": _memory(summary)},
    }


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Return the median and the extremes."""
    middle, least, most = statistics.median(seconds), min(seconds), max(seconds)
    return {"median": round(middle, 4), "min": round(least, 4), "max": round(most, 4)}


def _made(record: SwapRecord | None) -> list[SwapRecord]:
    assert record is not None, "the pool was there already"
    return [record]


def _steps(records: Sequence[SwapRecord]) -> dict[str, Any]:
    """Return median seconds in total and by kind of step, and the speed of the wakes."""
    kinds = [kind for kind in StepKind if any(record.seconds_of(kind) for record in records)]
    return {
        "seconds": spread([record.seconds for record in records]),
        "steps_s": {str(kind): _median(records, kind) for kind in kinds},
        "woken_gib": round(records[-1].size_of(StepKind.WAKE) / 2**30, 3),
        "wake_gb_per_s": round(statistics.median(record.gigabytes_per_second for record in records), 2),
    }


def _median(records: Sequence[SwapRecord], kind: StepKind) -> float:
    return round(statistics.median(record.seconds_of(kind) for record in records), 4)


def _memory(sizes: Sequence[int]) -> dict[str, float]:
    """Return the first and last cycle, and the range of the settled ones."""
    settled = sizes[SETTLED:] or sizes
    return {
        "first": round(sizes[0] / MIB, 1),
        "last": round(sizes[-1] / MIB, 1),
        "settled_range": round((max(settled) - min(settled)) / MIB, 1),
    }
