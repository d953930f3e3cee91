"""The pool's rules, with scripted models: what each verb does, and what is left after each failure."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from inference.models.residency.drain_lock import DrainTimeout, ModelAsleep, ModelInUse
from inference.models.residency.history import StepKind, SwapOutcome
from inference.models.residency.plan import DoesNotFit, Residency
from inference.models.residency.pool import ModelPool, NoSuchModel, PoolState, SwapUnderWay
from inference.models.residency.transfers import Where
from tests.inference.models.residency.doubles import (
    AMPLE,
    STACK,
    ScriptedFailure,
    ScriptedPool,
    assert_captions_work,
    scripted_pool,
    started_pool,
)

LONG_S = 30.0


def test_nothing_can_be_used_before_the_start() -> None:
    with pytest.raises(ModelAsleep), scripted_pool().pool.use("asr"):
        pass


def test_the_start_brings_captions_and_nothing_else() -> None:
    scripted = scripted_pool()
    scripted.pool.start()
    assert_captions_work(scripted)
    assert scripted["asr"].calls == ["load", "keep_copy", "wake", "warm_up"]
    assert scripted["summary"].calls == []
    assert scripted.states == [PoolState.TRANSCRIPTION]


def test_a_start_that_failed_can_be_tried_again() -> None:
    scripted = scripted_pool()
    scripted["translation"].fail("load")
    with pytest.raises(ScriptedFailure):
        scripted.pool.start()
    assert scripted.pool.state is PoolState.EMPTY
    assert scripted.memory.claimed == 5
    del scripted["translation"].failing["load"]
    scripted.pool.start()
    assert_captions_work(scripted)


def test_a_pool_that_can_never_work_is_refused_before_anything_loads() -> None:
    with pytest.raises(DoesNotFit, match="Summary, Bridge together need"):
        scripted_pool(94)


def test_preparing_loads_the_summariser_asleep_where_there_is_room() -> None:
    scripted = started_pool(165, choice="swap")
    scripted.pool.prepare()
    assert scripted["summary"].calls == ["load", "keep_copy", "sleep"]
    scripted.pool.swap_to_summarization()
    assert scripted["summary"].calls[3:] == ["wake", "warm_up"]


def test_preparing_leaves_the_loading_to_the_first_swap_where_there_is_none() -> None:
    scripted = started_pool()
    scripted.pool.prepare()
    assert scripted["summary"].calls == []
    scripted["summary"].loads_on_device = False
    scripted.pool.prepare()
    assert scripted["summary"].calls == ["load", "keep_copy", "sleep"]
    assert_captions_work(scripted)


def test_a_summariser_that_cannot_be_prepared_takes_no_memory() -> None:
    scripted = started_pool(165, choice="swap")
    scripted["summary"].fail("keep_copy")
    with pytest.raises(ScriptedFailure):
        scripted.pool.prepare()
    assert not scripted["summary"].is_loaded
    assert_captions_work(scripted)


def test_there_and_back() -> None:
    scripted = started_pool()
    assert scripted.pool.plan.residency is Residency.SWAP
    there = scripted.pool.swap_to_summarization()
    assert scripted.awake() == {"summary", "bridge"}
    with scripted.pool.use("summary") as summary, scripted.pool.use("bridge"):
        assert summary is scripted["summary"]
    with pytest.raises(ModelAsleep), scripted.pool.use("asr"):
        pass
    back = scripted.pool.swap_to_transcription()
    assert_captions_work(scripted)
    assert there is not None
    assert back is not None
    assert [step.kind for step in there.steps] == [
        StepKind.DRAIN,
        StepKind.SLEEP,
        StepKind.SLEEP,
        StepKind.RELEASE,
        StepKind.LOAD,
        StepKind.KEEP_COPY,
        StepKind.WAKE,
        StepKind.WARM_UP,
        StepKind.SETTLE,
    ]
    assert [(step.kind, step.model, step.size) for step in back.steps] == [
        (StepKind.DRAIN, "", 0),
        (StepKind.SLEEP, "summary", 90),
        (StepKind.RELEASE, "", 0),
        (StepKind.WAKE, "asr", 40),
        (StepKind.WAKE, "translation", 30),
        (StepKind.WARM_UP, "asr", 0),
        (StepKind.WARM_UP, "translation", 0),
    ]
    assert scripted.steps == [*there.steps, *back.steps]
    assert list(scripted.pool.history) == [there, back]
    assert scripted.states == [
        PoolState.TO_SUMMARIZATION,
        PoolState.SUMMARIZATION,
        PoolState.TO_TRANSCRIPTION,
        PoolState.TRANSCRIPTION,
    ]


def test_the_expected_pause_is_that_of_the_last_one_from_drain_to_captions() -> None:
    scripted = started_pool()
    assert scripted.pool.expected_s() is None
    scripted.pool.swap_to_summarization()
    scripted.pool.swap_to_transcription()
    # The clock goes on by one each time it is read: twice for each of 16 steps, and for the records between.
    assert scripted.pool.expected_s() == 2 * 16 + 3


def test_a_verb_whose_work_is_done_does_nothing() -> None:
    scripted = started_pool()
    assert scripted.pool.swap_to_transcription() is None
    scripted.pool.swap_to_summarization()
    assert scripted.pool.swap_to_summarization() is None
    assert len(list(scripted.pool.history)) == 1


def test_where_all_fits_nothing_moves_and_the_groups_take_turns() -> None:
    scripted = started_pool(AMPLE)
    assert scripted.pool.plan.residency is Residency.TURNS
    scripted.pool.prepare()
    assert scripted["summary"].calls == ["load", "wake", "warm_up"]
    scripted.pool.swap_to_summarization()
    with pytest.raises(ModelAsleep), scripted.pool.use("asr"):
        pass
    scripted.pool.swap_to_transcription()
    assert_captions_work_beside(scripted)
    assert [step.kind for step in scripted.steps[4:]] == [StepKind.DRAIN, StepKind.DRAIN]
    assert scripted.pool.expected_s() is not None


def test_co_resident_captions_go_on_during_a_summary() -> None:
    scripted = started_pool(AMPLE, choice="co-resident")
    scripted.pool.swap_to_summarization()
    with scripted.pool.use("asr"), scripted.pool.use("summary"):
        assert scripted.awake() == {*STACK, "summary"}
    with scripted.pool.use("asr"):
        scripted.pool.swap_to_transcription()
    assert_captions_work_beside(scripted)
    assert scripted.pool.expected_s() is None


def assert_captions_work_beside(scripted: ScriptedPool) -> None:
    """As `assert_captions_work`, with the summariser in memory but not in its turn."""
    assert scripted.awake() == {*STACK, "summary"}
    with scripted.pool.use("asr") as asr:
        assert asr is scripted["asr"]
    with pytest.raises(ModelAsleep), scripted.pool.use("summary"):
        pass


def test_an_unknown_model_is_named() -> None:
    with pytest.raises(NoSuchModel, match=r"'ars'.*asr, translation, summary, bridge"), started_pool().pool.use("ars"):
        pass


def test_people_can_see_where_everything_is() -> None:
    scripted = started_pool()
    scripted.pool.swap_to_summarization()
    assert {place.name: (place.label, place.where, place.size) for place in scripted.pool.placements()} == {
        "asr": ("Asr", Where.ASLEEP, 40),
        "translation": ("Translation", Where.ASLEEP, 30),
        "summary": ("Summary", Where.AWAKE, 90),
        "bridge": ("Bridge", Where.AWAKE, 5),
    }


# -- in use ------------------------------------------------------------------------------------------------------------


def test_a_model_in_use_is_not_put_to_sleep() -> None:
    scripted = started_pool()
    with scripted.pool.use("asr"):
        with pytest.raises(ModelInUse, match="asr"):
            scripted.pool.swap_to_summarization()
        assert scripted.awake() == STACK
    assert_captions_work(scripted)
    assert [record.outcome for record in scripted.pool.history] == [SwapOutcome.BUSY]


def test_a_summariser_in_use_stays() -> None:
    scripted = started_pool()
    scripted.pool.swap_to_summarization()
    with scripted.pool.use("summary"):
        with pytest.raises(ModelInUse, match="summary"):
            scripted.pool.swap_to_transcription()
        assert scripted.pool.state is PoolState.SUMMARIZATION
    scripted.pool.swap_to_transcription()
    assert_captions_work(scripted)


def test_two_threads_use_while_a_third_swaps(threads: ThreadPoolExecutor) -> None:
    scripted = started_pool()
    inside, leave = [Event(), Event()], Event()

    def use(name: str, entered: Event) -> None:
        with scripted.pool.use(name):
            entered.set()
            assert leave.wait(LONG_S)
            assert scripted[name].is_awake

    uses = [threads.submit(use, name, event) for name, event in zip(("asr", "translation"), inside, strict=True)]
    assert all(event.wait(LONG_S) for event in inside)
    swap = threads.submit(scripted.pool.swap_to_summarization)
    waiting = threads.submit(waits_for, scripted.pool, "summary")
    leave.set()
    for done in (*uses, swap):
        done.result(LONG_S)
    assert waiting.result(LONG_S) == "summary"


def waits_for(pool: ModelPool, name: str) -> str:
    with pool.use(name, wait_s=LONG_S) as model:
        assert model.is_awake
        return str(model.name)


def test_a_drain_that_takes_too_long_moves_nothing(threads: ThreadPoolExecutor) -> None:
    scripted = started_pool(drain_s=0.01)
    inside, leave = Event(), Event()

    def use() -> None:
        with scripted.pool.use("asr"):
            inside.set()
            assert leave.wait(LONG_S)

    using = threads.submit(use)
    assert inside.wait(LONG_S)
    with pytest.raises(DrainTimeout, match="asr"):
        scripted.pool.swap_to_summarization()
    leave.set()
    using.result(LONG_S)
    assert_captions_work(scripted)
    assert scripted["asr"].calls == []
    assert [record.outcome for record in scripted.pool.history] == [SwapOutcome.BUSY]


def test_one_thread_swaps_at_a_time(threads: ThreadPoolExecutor) -> None:
    scripted = started_pool()
    refusals: list[BaseException | None] = []

    def try_both() -> None:
        verbs = (scripted.pool.swap_to_summarization, scripted.pool.swap_to_transcription, scripted.pool.prepare)
        refusals.extend(threads.submit(verb).exception(LONG_S) for verb in verbs)

    scripted["summary"].meanwhile["wake"] = try_both
    scripted.pool.swap_to_summarization()
    assert [type(refusal) for refusal in refusals] == [SwapUnderWay] * 3
    assert scripted.pool.state is PoolState.SUMMARIZATION
