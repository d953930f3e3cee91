"""The models of a worker, where they are, and how long swaps took: the part of its report for operators."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from inference.models.residency.history import SwapRecord
from inference.models.residency.pool import ModelPool
from meetings.version import from_message


@dataclass(frozen=True, slots=True)
class ModelReport:
    """One model of a worker's pool."""

    label: str
    """The name shown to operators."""
    group: str
    where: str
    """awake: on the device; asleep: loaded, but not on the device; disk: not loaded."""
    size: int
    """Bytes on the device while awake."""
    dtypes: tuple[str, ...] = ()
    """Dtypes of the weights as loaded; empty if never loaded or unknown."""


@dataclass(frozen=True, slots=True)
class SwapReport:
    """The latest swap of its direction and outcome since the worker's start."""

    direction: str
    outcome: str
    seconds: float


@dataclass(frozen=True, slots=True)
class PoolReport:
    """A worker's device and its models."""

    device: str
    """cpu, or cuda:0."""
    budget: int
    """Bytes that its models may use."""
    plan: str
    """The placement decided at the start, as a sentence."""
    state: str
    """The state of the pool: which group of models is on the device."""
    models: tuple[ModelReport, ...]
    swaps: tuple[SwapReport, ...]


def pool_report(pool: ModelPool) -> PoolReport:
    """Report the pool's current state, without querying the device."""
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
    """Rebuild a report from the output of `dataclasses.asdict`."""
    models = tuple(
        from_message(ModelReport, {**model, "dtypes": tuple(model.get("dtypes", ()))}) for model in fields["models"]
    )
    swaps = tuple(from_message(SwapReport, swap) for swap in fields["swaps"])
    return from_message(PoolReport, {**fields, "models": models, "swaps": swaps})


def _newest(records: Iterable[SwapRecord]) -> tuple[SwapReport, ...]:
    newest = {(record.direction.value, record.outcome.value): record.seconds for record in records}
    return tuple(SwapReport(*kind, round(seconds, 3)) for kind, seconds in newest.items())
