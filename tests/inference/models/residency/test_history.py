"""What is learned from earlier swaps."""

from __future__ import annotations

import pytest

from inference.models.residency.history import (
    REMEMBERED,
    Direction,
    Step,
    StepKind,
    SwapHistory,
    SwapOutcome,
    SwapRecord,
)


def swap(
    seconds: float, direction: Direction = Direction.TO_SUMMARIZATION, outcome: SwapOutcome = SwapOutcome.COMPLETED
) -> SwapRecord:
    return SwapRecord(direction, outcome, (), seconds)


def test_nothing_is_expected_before_the_first_pause() -> None:
    assert SwapHistory().expected_s() is None


def test_the_expectation_is_the_median_of_recent_pauses() -> None:
    history = SwapHistory()
    for seconds in (100.0,) * 5 + (4.0, 6.0, 90.0, 5.0) * 5:
        history.add_pause(seconds)
    assert history.expected_s() == 5.5


def test_a_record_adds_up_its_steps() -> None:
    steps = (
        Step(StepKind.SLEEP, "asr", 0.25, 1_000_000_000),
        Step(StepKind.WAKE, "summary", 0.5, 20_000_000_000),
        Step(StepKind.WAKE, "embedder", 0.5, 10_000_000_000),
    )
    record = SwapRecord(Direction.TO_SUMMARIZATION, SwapOutcome.COMPLETED, steps, 1.5)
    assert record.seconds_of(StepKind.WAKE) == 1.0
    assert record.size_of(StepKind.WAKE) == 30_000_000_000
    assert record.gigabytes_per_second == pytest.approx(30.0)
    assert steps[1].gigabytes_per_second == pytest.approx(40.0)
    assert SwapRecord(Direction.TO_TRANSCRIPTION, SwapOutcome.FAILED, (), 0.0).gigabytes_per_second == 0.0


def test_new_swaps_are_told_from_old_ones_after_the_oldest_are_forgotten() -> None:
    history = SwapHistory()
    for number in range(REMEMBERED + 50):
        history.add(swap(float(number)))
    before = history.count
    assert history.since(before) == []
    history.add(swap(7.5))
    history.add(swap(8.5))
    assert [record.seconds for record in history.since(before)] == [7.5, 8.5]
