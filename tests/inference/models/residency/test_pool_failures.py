"""What the pool does when something goes wrong or is cancelled: captions come back, and nothing else is left over."""

from __future__ import annotations

import weakref
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from inference.models.residency.drain_lock import ModelAsleep, SwapCancelled
from inference.models.residency.history import SwapOutcome
from inference.models.residency.pool import CaptionsLost, PoolState, SwapFailed, SwapUnderWay
from tests.inference.models.residency.doubles import AMPLE, STACK, ScriptedFailure, assert_captions_work, started_pool

LONG_S = 30.0

# -- failures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["load", "keep_copy", "wake", "warm_up"])
def test_a_summariser_that_fails_gives_captions_back(method: str) -> None:
    scripted = started_pool()
    scripted["summary"].fail(method)
    with pytest.raises(SwapFailed, match=f"captions are back: summary does not {method}") as failed:
        scripted.pool.swap_to_summarization()
    assert isinstance(failed.value.__cause__, ScriptedFailure)
    assert_captions_work(scripted)
    assert scripted.memory.claimed == 75
    assert scripted.states == [PoolState.TO_SUMMARIZATION, PoolState.RESTORING, PoolState.TRANSCRIPTION]
    assert [(record.outcome, record.reason) for record in scripted.pool.history] == [
        (SwapOutcome.FAILED, f"summary does not {method}")
    ]
    del scripted["summary"].failing[method]
    scripted.pool.swap_to_summarization()
    assert scripted.awake() == {"summary", "bridge"}


@pytest.mark.parametrize("method", ["load", "wake", "warm_up"])
def test_a_summariser_that_fails_where_all_fits_gives_captions_back(method: str) -> None:
    scripted = started_pool(AMPLE)
    scripted["summary"].fail(method)
    with pytest.raises(SwapFailed):
        scripted.pool.swap_to_summarization()
    assert_captions_work(scripted)
    assert "sleep" not in scripted["summary"].calls
    del scripted["summary"].failing[method]
    scripted.pool.swap_to_summarization()
    assert scripted.awake() == {*STACK, "summary"}


def test_a_summariser_larger_than_it_said_gives_captions_back() -> None:
    scripted = started_pool()
    scripted["summary"].weights = 96
    with pytest.raises(SwapFailed, match=r"summary needs .* are left"):
        scripted.pool.swap_to_summarization()
    assert_captions_work(scripted)


def test_missing_weights_are_told_before_captions_pause_where_the_host_has_room() -> None:
    scripted = started_pool()
    scripted["summary"].loads_on_device = False
    scripted["summary"].failing["load"] = FileNotFoundError("no weights")
    with pytest.raises(SwapFailed, match="no weights"):
        scripted.pool.swap_to_summarization()
    assert scripted["asr"].calls == []
    assert_captions_work(scripted)


def test_a_caption_model_that_will_not_go_stays_and_the_swap_fails() -> None:
    scripted = started_pool()
    scripted["translation"].fail("sleep")
    with pytest.raises(SwapFailed, match="translation does not sleep"):
        scripted.pool.swap_to_summarization()
    assert_captions_work(scripted)


def test_a_summariser_that_will_not_go_is_forgotten() -> None:
    scripted = started_pool()
    scripted.pool.swap_to_summarization()
    scripted["summary"].fail("sleep")
    scripted.pool.swap_to_transcription()
    assert_captions_work(scripted)
    assert scripted["summary"].calls[-1] == "forget"
    scripted.pool.swap_to_summarization()
    assert scripted.awake() == {"summary", "bridge"}


def test_captions_that_do_not_wake_are_loaded_anew() -> None:
    scripted = started_pool()
    scripted.pool.swap_to_summarization()
    scripted["asr"].fail("wake")
    scripted["asr"].meanwhile["load"] = scripted["asr"].failing.clear
    scripted.pool.swap_to_transcription()
    assert_captions_work(scripted)
    assert not scripted["summary"].is_loaded


def test_captions_that_cannot_be_had_are_lost_until_they_can() -> None:
    scripted = started_pool()
    scripted["summary"].fail("wake")
    scripted["asr"].fail("wake")
    with pytest.raises(CaptionsLost, match="asr does not wake"):
        scripted.pool.swap_to_summarization()
    assert scripted.pool.state is PoolState.LOST
    assert scripted.memory.claimed == 5
    with pytest.raises(ModelAsleep), scripted.pool.use("asr"):
        pass
    with pytest.raises(SwapUnderWay):
        scripted.pool.swap_to_summarization()
    scripted["asr"].failing.clear()
    scripted.pool.swap_to_transcription()
    assert_captions_work(scripted)
    assert scripted.pool.expected_s() is None


def test_what_a_failed_wake_had_allocated_is_gone_before_captions_need_the_room() -> None:
    scripted = started_pool()
    allocated: list[weakref.ref[Block]] = []

    def allocate_and_fail() -> None:
        block = Block()
        allocated.append(weakref.ref(block))
        raise ScriptedFailure("out of memory")

    scripted["summary"].meanwhile["wake"] = allocate_and_fail
    scripted["asr"].meanwhile["wake"] = lambda: left.append(allocated[0]())
    left: list[Block | None] = []
    with pytest.raises(SwapFailed):
        scripted.pool.swap_to_summarization()
    assert left == [None]


class Block:
    """Stands for memory of the device."""


def test_what_nobody_foresaw_still_gives_captions_back() -> None:
    scripted = started_pool()
    scripted["summary"].failing["wake"] = AssertionError("a mistake in the code")
    with pytest.raises(AssertionError, match="a mistake"):
        scripted.pool.swap_to_summarization()
    assert_captions_work(scripted)


# -- cancelling --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["load", "wake", "warm_up"])
def test_a_swap_that_is_cancelled_in_the_middle_gives_captions_back(method: str) -> None:
    scripted = started_pool()
    scripted["summary"].meanwhile[method] = scripted.pool.cancel
    with pytest.raises(SwapCancelled):
        scripted.pool.swap_to_summarization()
    assert_captions_work(scripted)
    assert [record.outcome for record in scripted.pool.history] == [SwapOutcome.CANCELLED]
    scripted["summary"].meanwhile.clear()
    scripted.pool.swap_to_summarization()
    assert scripted.pool.state is PoolState.SUMMARIZATION


def test_a_swap_that_waits_for_a_use_can_be_cancelled(threads: ThreadPoolExecutor) -> None:
    scripted = started_pool()
    inside, leave = Event(), Event()

    def use() -> None:
        with scripted.pool.use("asr"):
            inside.set()
            assert leave.wait(LONG_S)

    using = threads.submit(use)
    assert inside.wait(LONG_S)
    swap = threads.submit(scripted.pool.swap_to_summarization)
    assert scripted.changed.wait(LONG_S)
    scripted.pool.cancel()
    with pytest.raises(SwapCancelled):
        swap.result(LONG_S)
    leave.set()
    using.result(LONG_S)
    assert_captions_work(scripted)


def test_going_home_cannot_be_cancelled() -> None:
    scripted = started_pool()
    scripted.pool.swap_to_summarization()
    scripted["asr"].meanwhile["wake"] = scripted.pool.cancel
    scripted.pool.swap_to_transcription()
    assert_captions_work(scripted)
    scripted["asr"].meanwhile.clear()
    scripted.pool.swap_to_summarization()
    assert scripted.pool.state is PoolState.SUMMARIZATION
