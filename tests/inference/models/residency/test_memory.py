"""Promises never exceed the budget or what the device has."""

from __future__ import annotations

import gc

import pytest

from inference.models.device import CPU, Device
from inference.models.residency import memory as memory_module
from inference.models.residency.memory import DeviceMemory, default_budget, free_memory
from inference.models.residency.plan import DoesNotFit


class MeasuredMemory(DeviceMemory):
    """A device that has as much free as it is told."""

    def __init__(self, budget: int, free: int | None) -> None:
        super().__init__(CPU, budget)
        self.now_free = free

    def free(self) -> int | None:
        return self.now_free


def test_promises_are_kept_within_the_budget() -> None:
    memory = MeasuredMemory(100, None)
    memory.claim("asr", 60)
    with pytest.raises(DoesNotFit, match=r"summary needs 0\.0 MiB and 0\.0 MiB of the budget"):
        memory.claim("summary", 41)
    memory.claim("summary", 40)
    assert memory.claimed == 100
    memory.give_back("asr")
    memory.give_back("asr")
    assert memory.claimed == 40


def test_a_second_promise_to_a_model_replaces_the_first() -> None:
    memory = MeasuredMemory(100, None)
    memory.claim("asr", 60)
    memory.claim("asr", 90)
    assert memory.claimed == 90


def test_a_refused_promise_leaves_the_earlier_one() -> None:
    memory = MeasuredMemory(100, None)
    memory.claim("asr", 60)
    with pytest.raises(DoesNotFit):
        memory.claim("asr", 101)
    assert memory.claimed == 60


def test_what_the_device_does_not_have_is_not_promised() -> None:
    memory = MeasuredMemory(100, 50)
    with pytest.raises(DoesNotFit, match=r"the device has 0\.0 MiB free"):
        memory.claim("asr", 60)
    memory.claim("asr", 50)
    memory.now_free = 5
    memory.claim("asr", 55)
    with pytest.raises(DoesNotFit):
        memory.claim("asr", 61)


def test_what_is_here_to_stay_is_left_out_of_collections_until_it_may_go() -> None:
    memory = MeasuredMemory(100, None)
    memory.settle()
    assert gc.get_freeze_count() > 1000
    memory.unsettle()
    assert gc.get_freeze_count() == 0


def test_a_card_of_16_gigabytes_has_room_for_the_7b_summariser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 16,376 MiB a driver's context takes about 300; beside the weights there are caches."""
    monkeypatch.setattr(memory_module, "free_memory", lambda device: 16_076 * 2**20)
    assert default_budget(Device("cuda", 0)) > 15_231_233_280 + 600_000_000
    assert default_budget(CPU) < 15_231_233_280


def test_this_machine_has_memory_and_a_budget() -> None:
    free = free_memory(CPU)
    assert free is not None
    assert free > 2**28
    assert 0 < default_budget(CPU) < 2**50
