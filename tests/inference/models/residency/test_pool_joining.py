"""Models that come later, while the others of their group are at work."""

from __future__ import annotations

from threading import Event, Thread

import pytest

from inference.models.residency.pool import NoSuchModel, PoolState, SwapUnderWay
from tests.inference.models.residency.doubles import (
    SIZES,
    STACK,
    ScriptedFailure,
    ScriptedPool,
    assert_captions_work,
    scripted_pool,
)

LATE = "translation"
LONG_S = 30.0


@pytest.fixture
def scripted() -> ScriptedPool:
    """At work on captions, without the one that is late."""
    scripted = scripted_pool(deferred=frozenset({LATE}))
    scripted.pool.start()
    return scripted


def test_captions_do_not_wait_for_one_that_is_late(scripted: ScriptedPool) -> None:
    assert (scripted.pool.state, scripted.awake()) == (PoolState.TRANSCRIPTION, STACK - {LATE})
    assert scripted[LATE].calls == []
    assert not scripted.pool.is_complete


def test_it_joins_while_captions_are_in_use_and_goes_with_its_group_then(scripted: ScriptedPool) -> None:
    with scripted.pool.use("asr"):
        scripted.pool.join(LATE)
    assert_captions_work(scripted)
    assert scripted.pool.is_complete
    scripted.pool.swap_to_summarization()
    assert scripted.awake() == {"summary", "bridge"}
    scripted.pool.swap_to_transcription()
    assert_captions_work(scripted)


def test_a_swap_before_it_joined_leaves_it_alone(scripted: ScriptedPool) -> None:
    scripted.pool.swap_to_summarization()
    with pytest.raises(SwapUnderWay):
        scripted.pool.join(LATE)
    scripted.pool.swap_to_transcription()
    assert scripted[LATE].calls == []
    assert not scripted.pool.is_complete, "it may still join"
    scripted.pool.join(LATE)
    assert_captions_work(scripted)


@pytest.mark.parametrize("step", ["load", "wake", "warm_up"])
def test_one_that_cannot_join_is_forgotten_and_not_waited_for(scripted: ScriptedPool, step: str) -> None:
    scripted[LATE].fail(step)
    with pytest.raises(ScriptedFailure):
        scripted.pool.join(LATE)
    assert scripted.pool.is_complete
    assert scripted.awake() == STACK - {LATE}
    assert scripted.memory.claimed == sum(SIZES[name] for name in STACK - {LATE})
    scripted.pool.swap_to_summarization()
    scripted.pool.swap_to_transcription()
    assert scripted.awake() == STACK - {LATE}


def test_one_that_could_not_join_may_try_again(scripted: ScriptedPool) -> None:
    scripted[LATE].fail("load")
    with pytest.raises(ScriptedFailure):
        scripted.pool.join(LATE)
    del scripted[LATE].failing["load"]
    scripted.pool.join(LATE)
    assert_captions_work(scripted)
    scripted[LATE].calls.clear()
    scripted.pool.join(LATE)
    assert scripted[LATE].calls == [], "joined already"


def test_two_that_join_at_once_do_so_one_after_the_other() -> None:
    scripted = scripted_pool(deferred=frozenset({LATE, "asr"}))
    scripted.pool.start()
    loading, may_end = Event(), Event()
    scripted[LATE].meanwhile["load"] = lambda: (loading.set(), may_end.wait(LONG_S))
    threads = [Thread(target=scripted.pool.join, args=(LATE,))]
    threads[0].start()
    assert loading.wait(LONG_S)
    threads.append(Thread(target=scripted.pool.join, args=("asr",)))
    threads[1].start()
    with pytest.raises(SwapUnderWay):
        scripted.pool.swap_to_summarization()
    assert scripted["asr"].calls == []
    may_end.set()
    for thread in threads:
        thread.join(LONG_S)
    assert_captions_work(scripted)


def test_one_that_nobody_planned_for_cannot_join(scripted: ScriptedPool) -> None:
    assert not scripted.pool.has("speakers")
    with pytest.raises(NoSuchModel, match="No model is called 'speakers'"):
        scripted.pool.join("speakers")


def test_models_do_not_rest_before_all_are_there(scripted: ScriptedPool) -> None:
    with pytest.raises(SwapUnderWay, match="still joining"):
        scripted.pool.sleep()
    scripted.pool.join(LATE)
    scripted.pool.sleep()
    assert scripted.pool.state is PoolState.ASLEEP
