"""Models of a pool that nobody needs: how they leave the device, and how captions come back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from inference.models.device import CPU, Device
from inference.models.residency.drain_lock import DrainTimeout, ModelAsleep, ModelInUse
from inference.models.residency.plan import PlanChoice
from inference.models.residency.pool import CannotSleep, CaptionsLost, PoolState, SwapUnderWay
from inference.models.residency.transfers import Where
from tests.inference.models.residency.doubles import AMPLE, TIGHT, assert_captions_work, started_pool

GPU = Device("cuda", 0)


@pytest.mark.parametrize("device", [CPU, GPU], ids=["cpu", "gpu"])
@pytest.mark.parametrize(("budget", "choice"), [(TIGHT, "swap"), (AMPLE, "swap"), (AMPLE, "auto")])
def test_the_device_is_free_until_captions_are_woken(device: Device, budget: int, choice: PlanChoice) -> None:
    scripted = started_pool(budget, choice=choice, device=device)
    scripted.pool.prepare()
    scripted.pool.sleep()
    assert (scripted.pool.state, scripted.awake()) == (PoolState.ASLEEP, {"bridge"})
    assert scripted.memory.claimed == 5
    with pytest.raises(ModelAsleep), scripted.pool.use("asr"):
        pass
    scripted.pool.wake()
    assert_captions_work(scripted)
    scripted.pool.swap_to_summarization()
    assert "summary" in scripted.awake()


@pytest.mark.parametrize(("device", "where"), [(CPU, Where.DISK), (GPU, Where.ASLEEP)], ids=["cpu", "gpu"])
def test_the_summariser_stays_with_the_host_where_that_is_not_the_device(device: Device, where: Where) -> None:
    scripted = started_pool(AMPLE, device=device)
    scripted.pool.prepare()
    scripted.pool.sleep()
    places = {placement.name: placement.where for placement in scripted.pool.placements()}
    assert places == {"asr": Where.ASLEEP, "translation": Where.ASLEEP, "summary": where, "bridge": Where.AWAKE}


def test_whoever_had_borrowed_a_model_has_it_afterwards() -> None:
    scripted = started_pool()
    with scripted.pool.use("asr") as before:
        pass
    scripted.pool.sleep()
    scripted.pool.wake()
    with scripted.pool.use("asr") as after:
        assert after is before
    assert scripted["asr"].calls == ["sleep", "wake", "warm_up"]


def test_what_is_done_is_not_done_again() -> None:
    scripted = started_pool()
    scripted.pool.wake()
    assert scripted.states == []
    scripted.pool.sleep()
    scripted.pool.sleep()
    assert scripted.states == [PoolState.ASLEEP]


def test_a_model_in_use_does_not_sleep() -> None:
    scripted = started_pool()
    with scripted.pool.use("asr"), pytest.raises(ModelInUse):
        scripted.pool.sleep()
    assert_captions_work(scripted)


def test_a_use_that_does_not_end_is_not_waited_for_for_ever() -> None:
    scripted = started_pool(drain_s=0.01)
    entered, may_leave = Event(), Event()

    def use() -> None:
        with scripted.pool.use("asr"):
            entered.set()
            may_leave.wait(30)

    with ThreadPoolExecutor(1) as beside:
        beside.submit(use)
        entered.wait(30)
        with pytest.raises(DrainTimeout):
            scripted.pool.sleep()
        may_leave.set()
    assert_captions_work(scripted)


def test_nobody_sleeps_while_a_summary_is_written() -> None:
    scripted = started_pool()
    scripted.pool.swap_to_summarization()
    with pytest.raises(SwapUnderWay):
        scripted.pool.sleep()
    assert scripted.pool.state is PoolState.SUMMARIZATION


def test_a_summary_has_to_wake_the_pool_first() -> None:
    scripted = started_pool()
    scripted.pool.sleep()
    with pytest.raises(SwapUnderWay):
        scripted.pool.swap_to_summarization()
    assert scripted.pool.state is PoolState.ASLEEP


def test_a_model_that_will_not_go_keeps_captions_awake() -> None:
    scripted = started_pool()
    scripted["translation"].fail("sleep")
    with pytest.raises(CannotSleep, match="translation does not sleep"):
        scripted.pool.sleep()
    assert_captions_work(scripted)


def test_captions_that_do_not_wake_are_loaded_anew() -> None:
    scripted = started_pool()
    scripted.pool.sleep()
    scripted["asr"].fail("wake")
    scripted["asr"].meanwhile["load"] = scripted["asr"].failing.clear
    scripted.pool.wake()
    assert_captions_work(scripted)


def test_captions_that_cannot_be_had_are_lost() -> None:
    scripted = started_pool()
    scripted.pool.sleep()
    scripted["asr"].fail("wake")
    with pytest.raises(CaptionsLost):
        scripted.pool.wake()
    assert scripted.pool.state is PoolState.LOST


def test_the_second_to_wake_them_leaves_it_to_the_first() -> None:
    scripted = started_pool()
    scripted.pool.sleep()
    scripted["asr"].meanwhile["wake"] = scripted.pool.wake
    scripted.pool.wake()
    assert_captions_work(scripted)
    assert scripted["asr"].calls.count("wake") == 1
