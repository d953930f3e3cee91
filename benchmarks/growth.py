"""Growth of a process's resources over the hours of a session."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import groupby, pairwise
from typing import Any

from benchmarks.statistics import slope
from benchmarks.vitals import Vitals

SETTLE_H = 1.0
"""Hours excluded from the slope, while models load and allocators grow."""

STRETCH_H = 0.1
KEPT = 60
"""Samples in the result."""

Quantity = Callable[[Vitals], float]


def growth(before: Vitals, samples: Sequence[Vitals], after: Vitals) -> dict[str, Any]:
    """Return every quantity of every process before, during and after, with its slope per hour of audio."""
    processes = {
        name: {
            "rss_mib": _course(before, samples, after, lambda vitals, name=name: vitals.processes[name].rss_mib),
            "threads": _course(before, samples, after, lambda vitals, name=name: vitals.processes[name].threads),
            "descriptors": _course(
                before, samples, after, lambda vitals, name=name: vitals.processes[name].descriptors
            ),
        }
        for name in before.processes
    }
    return {
        "processes": processes,
        "broker": {
            "keys": _course(before, samples, after, lambda vitals: vitals.broker_keys),
            "used_mib": _course(before, samples, after, lambda vitals: vitals.broker_mib),
            "file_mib": _course(before, samples, after, lambda vitals: vitals.broker_file_mib),
        },
        "database_mib": _course(before, samples, after, lambda vitals: vitals.database_mib),
        "hours": pace(samples),
        "samples": [asdict(sample) for sample in thinned(samples)],
    }


def _course(before: Vitals, samples: Sequence[Vitals], after: Vitals, quantity: Quantity) -> dict[str, Any]:
    values = [quantity(sample) for sample in samples]
    return {
        "before": quantity(before),
        "most": max(values, default=None),
        "last": values[-1] if values else None,
        "after": quantity(after),
        "slope_per_hour": fitted(samples, quantity),
    }


def fitted(samples: Sequence[Vitals], quantity: Quantity) -> dict[str, float] | None:
    """Return the least squares slope over means of STRETCH_H, after SETTLE_H; None for fewer than three stretches."""
    settled = [sample for sample in samples if sample.audio_h >= SETTLE_H]
    stretches = [list(group) for _, group in groupby(settled, key=lambda sample: int(sample.audio_h / STRETCH_H))]
    if len(stretches) < 3:
        return None
    hours = [statistics.fmean(sample.audio_h for sample in stretch) for stretch in stretches]
    found = slope(hours, [statistics.fmean(map(quantity, stretch)) for stretch in stretches])
    return {"value": round(found.value, 4), "low": round(found.low, 4), "high": round(found.high, 4)}


def pace(samples: Sequence[Vitals]) -> list[float]:
    """Return the wall seconds of each whole hour of audio, which reveal a slowdown."""
    reached = [
        next((sample.wall_s for sample in samples if sample.audio_h >= hour), None)
        for hour in range(int(samples[-1].audio_h) + 1 if samples else 0)
    ]
    walls = [wall for wall in reached if wall is not None]
    return [round(later - earlier, 1) for earlier, later in pairwise(walls)]


def thinned(samples: Sequence[Vitals]) -> list[Vitals]:
    """Return at most KEPT of the samples, evenly spaced."""
    step = max(1, -(-len(samples) // KEPT))
    return list(samples[::step])
