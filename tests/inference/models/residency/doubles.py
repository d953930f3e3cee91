"""Models without weights that fail on command, and pools of them; what really moves is tested beside each resident."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from threading import Event

import pytest

from inference.models.device import CPU, Device
from inference.models.residency.drain_lock import ModelAsleep
from inference.models.residency.history import Step
from inference.models.residency.memory import DeviceMemory
from inference.models.residency.plan import Group, ModelNeed, ModelSize, PlanChoice
from inference.models.residency.pool import ModelPool, PoolState
from inference.models.residency.resident import NotLoaded
from inference.models.residency.transfers import Member

SIZES = {"asr": 40, "translation": 30, "summary": 90, "bridge": 5}
"""Bytes."""
GROUPS = {
    "asr": Group.TRANSCRIPTION,
    "translation": Group.TRANSCRIPTION,
    "summary": Group.SUMMARIZATION,
    "bridge": Group.ALWAYS,
}
TIGHT = 100
"""A budget that holds either group, never both."""
AMPLE = 1000
STACK = {"asr", "translation", "bridge"}
"""What is awake while captions are written."""


class ScriptedFailure(RuntimeError):
    """What a scripted model raises when it was told to."""


@dataclass(eq=False)
class ScriptedResident:
    """`Resident` that only remembers where it would be."""

    name: str
    weights: int | None = None
    loads_on_device: bool = True
    is_loaded: bool = False
    is_awake: bool = False
    calls: list[str] = field(default_factory=list)
    failing: dict[str, Exception] = field(default_factory=dict)
    """Method to what it raises; stays until it is taken out."""
    meanwhile: dict[str, Callable[[], object]] = field(default_factory=dict)
    """Method to what happens while it runs."""

    @property
    def model(self) -> ScriptedResident:
        if not self.is_loaded:
            raise NotLoaded(self.name)
        return self

    def load(self) -> None:
        self._do("load")
        self.is_loaded = True

    def keep_copy(self) -> None:
        self._do("keep_copy")
        self.is_awake = False

    def sleep(self) -> None:
        self._do("sleep")
        assert self.model
        self.is_awake = False

    def wake(self) -> None:
        assert self.model
        self._do("wake")
        self.is_awake = True

    def warm_up(self) -> None:
        assert self.is_awake
        self._do("warm_up")

    def forget(self) -> None:
        self.calls.append("forget")
        self.is_loaded = self.is_awake = False

    def fail(self, method: str) -> None:
        self.failing[method] = ScriptedFailure(f"{self.name} does not {method}")

    def _do(self, method: str) -> None:
        self.calls.append(method)
        self.meanwhile.get(method, lambda: None)()
        if method in self.failing:
            raise self.failing[method]


@dataclass
class ScriptedPool:
    """A pool of scripted models and what it told."""

    pool: ModelPool
    memory: DeviceMemory
    residents: dict[str, ScriptedResident]
    states: list[PoolState]
    changed: Event
    """Set when the state changed."""
    steps: list[Step]

    def awake(self) -> set[str]:
        return {name for name, resident in self.residents.items() if resident.is_awake}

    def __getitem__(self, name: str) -> ScriptedResident:
        return self.residents[name]


class CountedMemory(DeviceMemory):
    """A ledger without a device: as much is free as the budget says."""

    def __init__(self, budget: int, device: Device = CPU) -> None:
        super().__init__(device, budget)

    def free(self) -> int | None:
        return None

    def release(self) -> None:
        """Nothing: there is nothing to hand back."""

    def settle(self) -> None:
        """Nothing: the tests' own objects stay in collections."""


def scripted_pool(
    budget: int = TIGHT,
    *,
    choice: PlanChoice = "auto",
    drain_s: float = 30.0,
    device: Device = CPU,
    deferred: frozenset[str] = frozenset(),
) -> ScriptedPool:
    """A pool of four, on a clock that goes on by a second each time it is read."""
    residents = {name: ScriptedResident(name) for name in SIZES}
    memory = CountedMemory(budget, device)
    states: list[PoolState] = []
    changed = Event()
    steps: list[Step] = []

    def note(state: PoolState) -> None:
        states.append(state)
        changed.set()

    clock = count()
    pool = ModelPool(
        [
            Member(
                name,
                ModelNeed(name.title(), GROUPS[name], ModelSize(SIZES[name])),
                resident,
                is_deferred=name in deferred,
            )
            for name, resident in residents.items()
        ],
        memory,
        choice=choice,
        drain_s=drain_s,
        on_state=note,
        on_step=steps.append,
        clock=lambda: float(next(clock)),
    )
    return ScriptedPool(pool, memory, residents, states, changed, steps)


def started_pool(
    budget: int = TIGHT, *, choice: PlanChoice = "auto", drain_s: float = 30.0, device: Device = CPU
) -> ScriptedPool:
    """At work on captions, and nothing remembered of the start."""
    scripted = scripted_pool(budget, choice=choice, drain_s=drain_s, device=device)
    scripted.pool.start()
    scripted.states.clear()
    scripted.changed.clear()
    scripted.steps.clear()
    for resident in scripted.residents.values():
        resident.calls.clear()
    return scripted


def assert_captions_work(scripted: ScriptedPool) -> None:
    assert scripted.pool.state is PoolState.TRANSCRIPTION
    assert scripted.awake() == STACK
    with scripted.pool.use("asr") as asr, scripted.pool.use("translation"):
        assert asr is scripted["asr"]
    with pytest.raises(ModelAsleep), scripted.pool.use("summary"):
        pass
