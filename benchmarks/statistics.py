"""Statistics for the result tables."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value below which `percent` of `values` lie, by nearest rank, as in the `captions` scores.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("a percentile of nothing")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(percent / 100 * len(ordered)))]


@dataclass(frozen=True, slots=True)
class Slope:
    """Slope of the regression line."""

    value: float
    low: float
    high: float
    """Bounds of the 95 % confidence interval."""


def slope(x: Sequence[float], y: Sequence[float]) -> Slope:
    """Fit by least squares; the interval uses Student's t with n - 2 degrees of freedom.

    Correlated points (such as consecutive memory samples) make the interval too narrow; pass means of stretches.

    Raises:
        ValueError: fewer than three points, or all at the same x.
    """
    from scipy.special import stdtrit

    if len(x) < 3 or len(set(x)) == 1:
        raise ValueError("a line needs three points, and not all at one place")
    freedom = len(x) - 2
    gradient, offset = statistics.linear_regression(x, y)
    unexplained = sum((value - offset - gradient * place) ** 2 for place, value in zip(x, y, strict=True))
    spread = sum((place - statistics.fmean(x)) ** 2 for place in x)
    margin = float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * math.sqrt(unexplained / freedom / spread)
    return Slope(gradient, gradient - margin, gradient + margin)
