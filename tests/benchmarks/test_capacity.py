"""The ladder of meetings, scripted; and two workers and two web processes on one Valkey and database, for real."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.capacity import COPIES, MOST, PROMPT_S, Held, climb, figures, hold, played
from benchmarks.layouts import running_layout

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("processes")]

PROMPT = Held(
    meetings=1,
    finals=9,
    delay_p50_s=1.0,
    delay_p95_s=PROMPT_S,
    largest_lag_s=9.0,
    told_catching_up=False,
    ended_after_s=3.0,
    partials_per_s=1.0,
    meetings_by_worker=[1],
    cpu_s_per_audio_s={},
    resident_mib={},
)


def test_one_meeting_more_is_tried_until_it_is_too_many() -> None:
    def step(count: int) -> Held:
        return replace(PROMPT, meetings=count, delay_p95_s=PROMPT_S if count < 3 else PROMPT_S + 0.01)

    steps = climb(step, most=MOST)
    assert [(held.meetings, held.keeps_up) for held in steps] == [(1, True), (2, True), (3, False)]
    assert figures(steps)["keeps_up_with"] == 2
    assert figures(steps[2:])["keeps_up_with"] == 0


def test_the_ladder_has_an_end() -> None:
    assert len(climb(lambda count: PROMPT, most=MOST)) == MOST


@pytest.mark.parametrize("late", [{"told_catching_up": True}, {"ended_after_s": None}, {"delay_p95_s": PROMPT_S + 1}])
def test_who_is_late_does_not_keep_up(late: dict[str, object]) -> None:
    assert PROMPT.keeps_up
    assert not replace(PROMPT, **late).keeps_up


def test_each_host_begins_elsewhere() -> None:
    frames = [bytes([number]) for number in range(40)]
    assert played(frames, 0.0, 1.0) == frames[:10]
    assert played(frames, 0.9, 1.0) == [*frames[36:], *frames[:6]]


def test_two_of_each_process_hold_a_meeting(whisper_alone: Path) -> None:
    """Its host is at one web process, its viewer at the other. Captions alone, so that the workers are ready soon."""
    with running_layout(COPIES, environment={"PARLANCE_MODELS_DIR": str(whisper_alone)}) as layout:
        assert [len(layout.processes[name]) for name in ("inference", "web", "valkey-server")] == [2, 2, 1]
        held = hold(layout, 1, seconds=6.0)
    assert held.ended_after_s is not None
    assert held.finals >= 1
    assert held.meetings_by_worker == [1]
    assert held.delay_p50_s > 0.0
    assert held.largest_lag_s > 1.0
