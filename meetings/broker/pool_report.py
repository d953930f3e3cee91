"""Which models a worker has, where they are, and what moving them took: the part of its report for operators."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from inference.models.residency.history import SwapRecord
from inference.models.residency.plan import gib
from inference.models.residency.pool import ModelPool
from meetings.version import from_message


@dataclass(frozen=True, slots=True)
class ModelReport:
    """One model of a worker's pool."""

    label: str
    """As people know it."""
    group: str
    where: str
    """awake: on the device; asleep: loaded, and not there; disk: not loaded."""
    size: int
    """Bytes on the device while it is awake."""
    dtypes: tuple[str, ...] = ()
    """Number types of its weights as they were loaded; empty: never, or not told."""

    @property
    def gibibytes(self) -> str:
        """The size as people read it."""
        return gib(self.size)


@dataclass(frozen=True, slots=True)
class SwapReport:
    """The newest swap of its direction and outcome since the worker's start."""

    direction: str
    outcome: str
    seconds: float


@dataclass(frozen=True, slots=True)
class PoolReport:
    """A worker's device and what is on it."""

    device: str
    """cpu, or cuda:0."""
    budget: int
    """Bytes that its models may use."""
    plan: str
    """What was decided at the start, as a sentence."""
    state: str
    """Whose turn it is."""
    models: tuple[ModelReport, ...]
    swaps: tuple[SwapReport, ...]

    @property
    def gibibytes(self) -> str:
        """The budget as people read it."""
        return gib(self.budget)


def pool_report(pool: ModelPool) -> PoolReport:
    """As it is now; asks nothing of the device."""
    return PoolReport(
        device=pool.device.kind if pool.device.kind == "cpu" else f"{pool.device.kind}:{pool.device.index}",
        budget=pool.plan.budget,
        plan=pool.plan.sentence,
        state=pool.state.value,
        models=tuple(
            ModelReport(model.label, model.group.value, model.where.value, model.size, model.dtypes)
            for model in pool.placements()
        ),
        swaps=_newest(pool.history),
    )


def pool_report_from(fields: dict[str, Any]) -> PoolReport:
    """The other way of `dataclasses.asdict`."""
    models = tuple(
        from_message(ModelReport, {**model, "dtypes": tuple(model.get("dtypes", ()))}) for model in fields["models"]
    )
    swaps = tuple(from_message(SwapReport, swap) for swap in fields["swaps"])
    return from_message(PoolReport, {**fields, "models": models, "swaps": swaps})


def _newest(records: Iterable[SwapRecord]) -> tuple[SwapReport, ...]:
    newest = {(record.direction.value, record.outcome.value): record.seconds for record in records}
    return tuple(SwapReport(*kind, round(seconds, 3)) for kind, seconds in newest.items())
