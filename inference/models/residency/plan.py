"""Decide from the models' sizes whether they share the device's memory or take turns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

GIB = 2**30

PlanChoice = Literal["auto", "swap", "co-resident"]
"""The settings an operator may choose."""


class Group(StrEnum):
    """Models that are on the device together."""

    TRANSCRIPTION = "transcription"
    SUMMARIZATION = "summarization"
    ALWAYS = "always"
    """Required in both turns, such as a small model for interim captions; never leaves."""


class Residency(StrEnum):
    """How the two groups share a device."""

    CO_RESIDENT = "co-resident"
    """All models stay in memory, and captions continue while a summary is written."""
    TURNS = "turns"
    """All models stay in memory, but only one group computes at a time, because on a CPU both would compete for cores.
    """
    SWAP = "swap"
    """Only one group is in memory at a time."""


class DoesNotFit(ValueError):
    """The models need more memory than the budget; the message names them, both figures and the remedy."""


@dataclass(frozen=True, slots=True)
class ModelSize:
    """Bytes that a model needs on the device while awake."""

    weights: int
    working: int = 0
    """Peak size of activations and key-value cache."""

    @property
    def total(self) -> int:
        """Bytes that the budget must provide."""
        return self.weights + self.working


@dataclass(frozen=True, slots=True)
class ModelNeed:
    """One model as the planner sees it."""

    label: str
    """Display name, such as "Qwen2.5-7B-Instruct"."""
    group: Group
    size: ModelSize
    remedy: str = ""
    """What to do if it does not fit, such as "choose a smaller PARLANCE_SUMMARY_MODEL"."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The decision and the figures it was based on."""

    residency: Residency
    budget: int
    """Bytes."""
    needs: Mapping[Group, int]
    """Bytes required by each group."""

    @property
    def sentence(self) -> str:
        """Description for the log and the admin page."""
        together, budget = gib(sum(self.needs.values())), gib(self.budget)
        if self.residency is Residency.SWAP:
            return f"Models take turns in memory: together they need {together} of {budget}."
        if self.residency is Residency.TURNS:
            return f"All models stay in memory ({together} of {budget}) and take turns on the processor's cores."
        return f"All models stay in memory ({together} of {budget}); captions go on while a summary is written."


def make_plan(needs: Sequence[ModelNeed], *, budget: int, choice: PlanChoice = "auto", turns: bool = False) -> Plan:
    """Return the plan for a device with `budget` bytes. `turns` lets only one group compute at a time, as on a CPU.

    `auto` swaps only if the models do not fit together: free memory costs nothing, a swap interrupts captions.

    Raises:
        DoesNotFit: a model or a group can never fit, or, with `co-resident`, all models together.
    """
    sizes = {group: sum(need.size.total for need in needs if need.group is group) for group in Group}
    together = sum(sizes.values())
    if choice == "co-resident" and together > budget:
        raise DoesNotFit(f"{_refusal(needs, budget)}; set PARLANCE_RESIDENCY to auto or swap.")
    _require_room(needs, budget)
    if choice == "swap" or together > budget:
        return Plan(Residency.SWAP, budget, sizes)
    return Plan(Residency.TURNS if turns and choice == "auto" else Residency.CO_RESIDENT, budget, sizes)


def gib(size: int) -> str:
    """Return a readable size, such as "15.2 GiB"."""
    return f"{size / GIB:.1f} GiB" if size >= GIB / 10 else f"{size / 2**20:.1f} MiB"


def _require_room(needs: Sequence[ModelNeed], budget: int) -> None:
    """Raise DoesNotFit for the first model, then the first group, that cannot fit next to the permanent models."""
    for need in needs:
        if need.size.total > budget:
            raise DoesNotFit(f"{_refusal([need], budget)}{_remedies([need])}.")
    for group in (Group.TRANSCRIPTION, Group.SUMMARIZATION):
        members = [need for need in needs if need.group in (group, Group.ALWAYS)]
        if sum(need.size.total for need in members) > budget:
            raise DoesNotFit(f"{_refusal(members, budget)}{_remedies(members)}.")


def _refusal(needs: Sequence[ModelNeed], budget: int) -> str:
    total = sum(need.size.total for need in needs)
    verb = "needs" if len(needs) == 1 else "together need"
    return f"{', '.join(need.label for need in needs)} {verb} {gib(total)} and the budget is {gib(budget)}"


def _remedies(needs: Iterable[ModelNeed]) -> str:
    remedies = dict.fromkeys(need.remedy for need in needs if need.remedy)
    return f"; {', or '.join(remedies)}" if remedies else ""
