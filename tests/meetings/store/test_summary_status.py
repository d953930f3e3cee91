"""The table from what went wrong with a summary to what its host reads."""

from __future__ import annotations

import pytest

from inference.models.loading import ModelCorrupt, ModelMissing
from inference.models.residency.drain_lock import DrainTimeout
from inference.models.residency.plan import DoesNotFit
from inference.models.residency.pool import SwapFailed, SwapUnderWay
from meetings.models import SummaryFailure
from meetings.store import summary_status
from meetings.store.summary_status import FAILURE_SENTENCES


@pytest.mark.parametrize(
    ("cause", "trouble"),
    [
        (ModelMissing("x"), SummaryFailure.MISSING),
        (ModelCorrupt("x"), SummaryFailure.MISSING),
        (DoesNotFit("x"), SummaryFailure.NO_ROOM),
        (MemoryError("x"), SummaryFailure.NO_ROOM),
        (RuntimeError("x"), SummaryFailure.FAILED),
    ],
)
def test_a_swap_that_failed_is_told_by_its_cause(cause: Exception, trouble: SummaryFailure) -> None:
    error = SwapFailed("captions are back")
    error.__cause__ = cause
    assert summary_status.failure_of(error) is trouble


@pytest.mark.parametrize("error", [DrainTimeout("x"), SwapUnderWay("x")])
def test_models_in_use_are_told_as_such(error: Exception) -> None:
    assert summary_status.failure_of(error) is SummaryFailure.BUSY


def test_everything_has_its_sentence() -> None:
    assert set(FAILURE_SENTENCES) == set(SummaryFailure)
    assert len(set(FAILURE_SENTENCES.values())) == len(FAILURE_SENTENCES)
