from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.models.optimization.validation import FLOAT32, HALF, ValidationVerdict, relative_error, validate


class ScriptedClock:
    """Stands in for the machine's clock: moves when a run says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def run(self, answer: Sequence[float], seconds: Sequence[float]) -> Callable[[], np.ndarray]:
        """A run that takes `seconds`, call by call, the first one for the warm-up."""
        left = list(seconds)

        def run() -> np.ndarray:
            self.now += left.pop(0)
            return np.array(answer, np.float32)

        return run


def judged(plain: Sequence[float], quick: Sequence[float], *, found: Sequence[float] = (1.0, 2.0)) -> ValidationVerdict:
    clock = ScriptedClock()
    without = clock.run((1.0, 2.0), (9.0, *plain))
    return validate(without, clock.run(found, (9.0, *quick)), rounds=len(plain), clock=clock)


def test_what_agrees_and_is_faster_pays() -> None:
    verdict = judged((2.0, 3.0, 10.0), (1.0, 2.0, 9.0))
    assert verdict.speedup == pytest.approx(1.5)
    assert (verdict.seconds_without, verdict.seconds_with, verdict.pairs) == (3.0, 2.0, 3)
    assert verdict.pays
    assert verdict.error == 0.0


@pytest.mark.parametrize(("seconds", "pays"), [(1.019, False), (1.021, True), (0.5, False)])
def test_two_hundredths_are_the_least(seconds: float, pays: bool) -> None:
    verdict = judged((seconds,) * 3, (1.0,) * 3)
    assert verdict.pays is pays
    assert ("less than 1.02" in verdict.reason) is not pays


def test_what_does_not_agree_does_not_pay_however_fast_it_is() -> None:
    verdict = judged((9.0,), (1.0,), found=(1.0, 2.001))
    assert not verdict.agrees
    assert not verdict.pays
    assert verdict.reason.startswith("does not agree: 5.0e-04 apart")


def test_no_number_agrees_with_nothing() -> None:
    assert not judged((9.0,), (1.0,), found=(1.0, float("nan"))).agrees


def test_answers_of_another_shape_are_an_error() -> None:
    with pytest.raises(ValueError, match="shapes"):
        relative_error(np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match="at least one"):
        judged((), ())


@given(st.floats(1e-3, 1e3), st.floats(0, 0.1))
def test_the_criterion_is_relative_to_the_largest_number(scale: float, apart: float) -> None:
    expected = np.array([0.0, scale, -2 * scale])
    assert relative_error(expected, expected + np.array([2 * apart * scale, 0, 0])) == pytest.approx(apart, abs=1e-12)
    assert FLOAT32.rtol < HALF.rtol
