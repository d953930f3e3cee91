"""Moves models on and off the device, one at a time, and times every step."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum

import structlog

from inference.models.optimization.dtypes import dtypes_of
from inference.models.residency.history import Step, StepKind
from inference.models.residency.memory import DeviceMemory
from inference.models.residency.plan import Group, ModelNeed, Plan, Residency
from inference.models.residency.resident import Resident

log = structlog.get_logger(__name__)

MOVE_ERRORS = (OSError, RuntimeError, ValueError, LookupError, MemoryError)
"""Raised by loaders, allocators and checks for missing files, missing memory and damaged weights."""


class Where(StrEnum):
    """Location of a model."""

    DISK = "disk"
    ASLEEP = "asleep"
    """Loaded, but not on the device."""
    AWAKE = "awake"


@dataclass(frozen=True, slots=True)
class Member:
    """One model of a pool."""

    name: str
    """Name used by callers, such as "asr"."""
    need: ModelNeed
    resident: Resident
    is_deferred: bool = False
    """Included in the plan from the start, but brought later (`ModelPool.join`) while others of its group work."""


class Mover:
    """Moves the models of one pool, which ensures that only one thread moves at a time."""

    def __init__(
        self,
        members: Sequence[Member],
        plan: Plan,
        memory: DeviceMemory,
        *,
        on_step: Callable[[Step], object],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._members = tuple(members)
        self._swaps = plan.residency is Residency.SWAP
        self._memory = memory
        self._on_step = on_step
        self._clock = clock
        self._where = {member.name: Where.DISK for member in members}
        self._dtypes: dict[str, tuple[str, ...]] = {}
        self._expected = {member.name for member in members if member.is_deferred}
        """Deferred models that have not joined yet; moves skip them."""
        self.steps: list[Step] = []
        """Steps of the current swap; cleared by the caller that begins one."""

    def where(self, name: str) -> Where:
        """Return the model's location."""
        return self._where[name]

    def dtypes(self, name: str) -> tuple[str, ...]:
        """Return the data types of the weights as loaded, the one with most bytes first; empty if never loaded."""
        return self._dtypes.get(name, ())

    def join(self, member: Member) -> None:
        """Bring a deferred model, which moves with its group from then on. Does nothing if it has joined.

        Raises as `bring` does. On error the model is discarded, and moves skip it.
        """
        if member.name not in self._expected:
            return
        with ExitStack() as undo:
            undo.callback(self._expected.add, member.name)
            undo.callback(self._forget, member)
            self._expected.discard(member.name)
            self.bring(member.need.group)
            undo.pop_all()

    def bring(self, group: Group, *, pause: Callable[[], object] = lambda: None) -> None:
        """Wake the group's models, loading those never loaded. `pause` is called between steps and may raise.

        Raises MOVE_ERRORS from loaders, allocators and checks. On error, no model that was asleep is left awake.
        """
        coming = [member for member in self._of(group) if self._where[member.name] is not Where.AWAKE]
        is_first = any(self._where[member.name] is Where.DISK for member in coming)
        with ExitStack() as undo:
            for member in coming:
                pause()
                undo.callback(self._abandon, member)
                self._wake(member)
            for member in coming:
                pause()
                self._timed(StepKind.WARM_UP, member, member.resident.warm_up)
            undo.pop_all()
        if is_first:
            self._timed(StepKind.SETTLE, None, self._memory.settle)

    def load_ahead(self, group: Group) -> None:
        """Load models that were never loaded. They end up asleep, or awake if all models fit.

        A model that loads on the device is skipped if the budget has no room for it next to the awake ones.
        """
        if not self._swaps:
            self.bring(group)
            return
        for member in self._of(group):
            room = self._memory.budget - self._memory.claimed
            fits = not member.resident.loads_on_device or member.need.size.total <= room
            if self._where[member.name] is Where.DISK and fits:
                self._load(member)
                self._timed(StepKind.SLEEP, member, member.resident.sleep)
                self._timed(StepKind.RELEASE, None, self._memory.release)
                self._timed(StepKind.SETTLE, None, self._memory.settle)

    def send_away(self, group: Group) -> None:
        """Put the group's models to sleep and return their memory. Does nothing if all models fit.

        Raises MOVE_ERRORS. On error, call `bring`; it restores every model, moved or not.
        """
        if self._swaps:
            for member in self._of(group):
                self._sleep(member)
            self._timed(StepKind.RELEASE, None, self._memory.release)

    def drop(self, group: Group) -> None:
        """Like `send_away`, but without failing: a model that cannot sleep causes the group to be forgotten."""
        try:
            self.send_away(group)
        except MOVE_ERRORS:
            self.forget(group)

    def rest(self) -> None:
        """Take both groups off the device, whatever the plan.

        On a CPU the summarizer is discarded, because making a copy of it would take longer than loading it again.

        Raises MOVE_ERRORS. On error, call `bring`; it restores every model, moved or not.
        """
        if self._memory.device.kind == "cpu":
            self.forget(Group.SUMMARIZATION)
        for member in (*self._of(Group.SUMMARIZATION), *self._of(Group.TRANSCRIPTION)):
            self._sleep(member)
        self._timed(StepKind.RELEASE, None, self._memory.release)

    def forget(self, group: Group) -> None:
        """Discard the group's models; the next `bring` loads them from disk."""
        self._memory.unsettle()
        for member in self._of(group):
            self._forget(member)
        self._memory.release()

    def _forget(self, member: Member) -> None:
        member.resident.forget()
        self._memory.give_back(member.name)
        self._where[member.name] = Where.DISK

    def _of(self, group: Group) -> list[Member]:
        return [member for member in self._members if member.need.group is group and member.name not in self._expected]

    def _wake(self, member: Member) -> None:
        if self._where[member.name] is Where.DISK:
            self._memory.claim(member.name, member.need.size.total)
            self._load(member)
        self._memory.claim(member.name, self._size(member))
        self._timed(StepKind.WAKE, member, member.resident.wake)
        self._where[member.name] = Where.AWAKE

    def _sleep(self, member: Member) -> None:
        if self._where[member.name] is Where.AWAKE:
            # A model that fails halfway no longer counts as awake, so that `bring` restores it.
            self._where[member.name] = Where.ASLEEP
            self._timed(StepKind.SLEEP, member, member.resident.sleep)
            self._memory.give_back(member.name)

    def _abandon(self, member: Member) -> None:
        """Clean up after a failure: put the model to sleep with its copy if possible, else discard it."""
        if self._swaps and self._where[member.name] is not Where.DISK and self._slept(member):
            self._where[member.name] = Where.ASLEEP
            self._memory.give_back(member.name)
        else:
            self._forget(member)

    def _slept(self, member: Member) -> bool:
        try:
            member.resident.sleep()
        except MOVE_ERRORS:
            return False
        return True

    def _load(self, member: Member) -> None:
        with ExitStack() as undo:
            undo.callback(self._memory.give_back, member.name)
            undo.callback(member.resident.forget)
            self._timed(StepKind.LOAD, member, member.resident.load)
            sizes = dtypes_of(member.resident.model)
            log.info("models_dtype", model=member.need.label, dtypes=sizes)
            self._dtypes[member.name] = tuple(sorted(sizes, key=lambda dtype: -sizes[dtype]))
            if self._swaps:
                self._timed(StepKind.KEEP_COPY, member, member.resident.keep_copy)
            undo.pop_all()
        self._where[member.name] = Where.ASLEEP

    def _size(self, member: Member) -> int:
        """Return the measured size if the library reports it, else the planned one."""
        weights = member.resident.weights
        return member.need.size.total if weights is None else weights + member.need.size.working

    def _timed(self, kind: StepKind, member: Member | None, action: Callable[[], object]) -> None:
        started = self._clock()
        action()
        moved = member is not None and kind in (StepKind.WAKE, StepKind.SLEEP, StepKind.KEEP_COPY)
        size = (member.resident.weights or member.need.size.weights) if moved and member else 0
        self.note(Step(kind, member.name if member else "", self._clock() - started, size))

    def note(self, step: Step) -> None:
        """Record a step that was performed elsewhere."""
        self.steps.append(step)
        self._on_step(step)
