"""Whether the models share the device's memory or take turns in it, decided from their sizes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

GIB = 2**30

PlanChoice = Literal["auto", "swap", "co-resident"]
"""What an operator may ask for."""


class Group(StrEnum):
    """Models that are on the device together."""

    TRANSCRIPTION = "transcription"
    SUMMARIZATION = "summarization"
    ALWAYS = "always"
    """Needed in both turns, such as a small model for captions meanwhile; never leaves."""


class Residency(StrEnum):
    """How the two groups share a device."""

    CO_RESIDENT = "co-resident"
    """All models stay in memory, and captions go on while a summary is written."""
    TURNS = "turns"
    """All models stay in memory, but one group at a time computes: on a CPU both would want the same cores."""
    SWAP = "swap"
    """One group at a time is in memory."""


class DoesNotFit(ValueError):
    """The models need more memory than the budget has; the message names them, both figures and the remedy."""


@dataclass(frozen=True, slots=True)
class ModelSize:
    """Bytes that a model needs on the device while it is awake."""

    weights: int
    working: int = 0
    """Activations and key-value cache at their largest."""

    @property
    def total(self) -> int:
        """What the budget must have for it."""
        return self.weights + self.working


@dataclass(frozen=True, slots=True)
class ModelNeed:
    """One model as the planner sees it."""

    label: str
    """As people know it: "Qwen2.5-7B-Instruct"."""
    group: Group
    size: ModelSize
    remedy: str = ""
    """What to do when it does not fit: "choose a smaller PARLANCE_SUMMARY_MODEL"."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What was decided, and from which figures."""

    residency: Residency
    budget: int
    """Bytes."""
    needs: Mapping[Group, int]
    """Bytes of each group."""

    @property
    def sentence(self) -> str:
        """For the log and the admin's page."""
        together, budget = gib(sum(self.needs.values())), gib(self.budget)
        if self.residency is Residency.SWAP:
            return f"Models take turns in memory: together they need {together} of {budget}."
        if self.residency is Residency.TURNS:
            return f"All models stay in memory ({together} of {budget}) and take turns on the processor's cores."
        return f"All models stay in memory ({together} of {budget}); captions go on while a summary is written."


def make_plan(needs: Sequence[ModelNeed], *, budget: int, choice: PlanChoice = "auto", turns: bool = False) -> Plan:
    """The plan for a device with `budget` bytes; `turns`: one group at a time may compute, as on a CPU.

    `auto` swaps only what does not fit: memory that is free costs nothing, a swap costs an outage.

    Raises:
        DoesNotFit: a model, a group, or with `co-resident` all together can never fit.
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
    """Bytes as people read them: "15.2 GiB"."""
    return f"{size / GIB:.1f} GiB" if size >= GIB / 10 else f"{size / 2**20:.1f} MiB"


def _require_room(needs: Sequence[ModelNeed], budget: int) -> None:
    """Raises DoesNotFit for the first model, then for the first group, that cannot fit beside what always stays."""
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
