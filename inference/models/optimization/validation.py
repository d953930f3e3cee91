"""Check whether an optimization agrees with the unoptimized run and is fast enough to be worth having."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

MeasuredRun = Callable[[], np.ndarray]
ValidationClock = Callable[[], float]

WORTHWHILE = 1.02
"""Minimum ratio of the seconds without to the seconds with."""
ROUNDS = 15


@dataclass(frozen=True, slots=True)
class Agreement:
    """Tolerance between results: `rtol` times the largest magnitude of the unoptimized result."""

    rtol: float
    criterion: str


FLOAT32 = Agreement(1e-5, "largest difference ≤ 1e-5 of the largest number")
HALF = Agreement(2e-2, "reduced precision: largest difference ≤ 2e-2 of the largest number")


@dataclass(frozen=True, slots=True)
class ValidationVerdict:
    """Result of a validation."""

    error: float
    """Largest difference relative to the largest magnitude."""
    agrees: bool
    speedup: float
    """Median over all pairs of the ratio of seconds without to seconds with."""
    quartiles: tuple[float, float]
    """Quartiles of the ratios."""
    seconds_without: float
    """Median."""
    seconds_with: float
    """Median."""
    pairs: int
    pays: bool
    reason: str


def validate(
    without: MeasuredRun,
    with_it: MeasuredRun,
    *,
    agreement: Agreement = FLOAT32,
    rounds: int = ROUNDS,
    clock: ValidationClock = time.perf_counter,
) -> ValidationVerdict:
    """Run both once to warm up and to compare, then in alternating pairs; every second pair runs in reverse order.

    Raises:
        ValueError: `rounds` is less than one, or the results have different shapes.
    """
    if rounds < 1:
        raise ValueError("at least one pair is needed")
    error = relative_error(without(), with_it())
    pairs = [_pair(without, with_it, is_turned=bool(number % 2), clock=clock) for number in range(rounds)]
    ratios = [plain / quick for plain, quick in pairs]
    speedup = statistics.median(ratios)
    agrees = error <= agreement.rtol
    return ValidationVerdict(
        error=error,
        agrees=agrees,
        speedup=speedup,
        quartiles=(float(np.percentile(ratios, 25)), float(np.percentile(ratios, 75))),
        seconds_without=statistics.median(plain for plain, _ in pairs),
        seconds_with=statistics.median(quick for _, quick in pairs),
        pairs=rounds,
        pays=agrees and speedup >= WORTHWHILE,
        reason=_reason(error, agreement, speedup),
    )


def relative_error(expected: np.ndarray, found: np.ndarray) -> float:
    """Return the largest difference relative to the largest magnitude; infinite if `found` has non-finite numbers.

    Raises ValueError for different shapes.
    """
    if expected.shape != found.shape:
        raise ValueError(f"answers of shapes {expected.shape} and {found.shape}")
    if not np.isfinite(found).all():
        return float("inf")
    largest = float(np.abs(expected).max(initial=0.0))
    difference = float(np.abs(expected.astype(np.float64) - found).max(initial=0.0))
    return difference / largest if largest else difference


def _pair(
    without: MeasuredRun, with_it: MeasuredRun, *, is_turned: bool, clock: ValidationClock
) -> tuple[float, float]:
    if is_turned:
        quick, plain = _timed(with_it, clock), _timed(without, clock)
    else:
        plain, quick = _timed(without, clock), _timed(with_it, clock)
    return plain, quick


def _timed(run: MeasuredRun, clock: ValidationClock) -> float:
    started = clock()
    run()
    return clock() - started


def _reason(error: float, agreement: Agreement, speedup: float) -> str:
    if not error <= agreement.rtol:
        return f"does not agree: {error:.1e} apart ({agreement.criterion})"
    if speedup < WORTHWHILE:
        return f"{speedup:.3f} times as fast, less than {WORTHWHILE}"
    return f"{speedup:.3f} times as fast, and agrees"
