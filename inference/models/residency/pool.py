"""The models of one device: who is on it, and the two ways to change that.

Captions are the home state. `swap_to_summarization` either gets the summariser ready, or leaves the pool as it was with
captions working; `swap_to_transcription` goes home again. Nobody needs captions: `sleep`, until `wake`. Nothing else
moves a model.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType, TracebackType
from typing import Any

from inference.models.residency.drain_lock import DrainLock, ModelInUse, SwapCancelled
from inference.models.residency.history import Direction, Outcome, Step, StepKind, SwapHistory, SwapRecord
from inference.models.residency.memory import DeviceMemory
from inference.models.residency.plan import Group, Plan, PlanChoice, Residency, make_plan
from inference.models.residency.transfers import MOVE_ERRORS, Member, Mover, Where

DRAIN_S = 30.0
"""How long uses under way may take to end: longer than any single batch."""


class State(StrEnum):
    """Where the pool is; every change is told to `on_state`."""

    EMPTY = "empty"
    TRANSCRIPTION = "transcription"
    TO_SUMMARIZATION = "to summarization"
    SUMMARIZATION = "summarization"
    TO_TRANSCRIPTION = "to transcription"
    RESTORING = "restoring"
    """A swap failed, and captions are being brought back."""
    ASLEEP = "asleep"
    """Nobody needs captions: the device is free, until `wake`."""
    LOST = "lost"
    """Captions could not be brought back; `swap_to_transcription` tries again, and so does a new process."""


class NoSuchModel(LookupError):
    """The pool has no model of that name."""


class SwapUnderWay(RuntimeError):
    """Another thread moves models now, or the pool is not where this verb begins."""


class SwapFailed(RuntimeError):
    """The summariser could not be brought in; captions are back. The cause says why."""


class CannotSleep(RuntimeError):
    """A model would not leave the device; captions are back. The cause says why."""


class CaptionsLost(RuntimeError):
    """The transcription models could not be brought back; the process had better start anew."""


@dataclass(frozen=True, slots=True)
class Placement:
    """One model's place, for people."""

    name: str
    label: str
    group: Group
    where: Where
    size: int
    """Bytes on the device while it is awake."""
    dtypes: tuple[str, ...]
    """Number types of the weights as they were loaded, the one that has most of them first; empty: never loaded."""


class ModelPool:
    """Owns the device's models. `use` may be called from any thread; so may the verbs, one at a time."""

    def __init__(
        self,
        members: Sequence[Member],
        memory: DeviceMemory,
        *,
        choice: PlanChoice = "auto",
        left_out: Mapping[str, Exception] = MappingProxyType({}),
        drain_s: float = DRAIN_S,
        on_state: Callable[[State], object] = lambda state: None,
        on_step: Callable[[Step], object] = lambda step: None,
        watch: Callable[[], AbstractContextManager[object]] = nullcontext,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Loads nothing yet. `left_out`: models that cannot be had, by name, and why; for whoever misses them.

        `on_state` and `on_step` are called in the thread that moves; what `watch` makes is entered there before every
        move, and left after it, so that somebody sees when one does not end.

        Raises:
            DoesNotFit: the models can never fit the memory's budget.
        """
        turns = memory.device.kind == "cpu"
        needs = [member.need for member in members]
        self.plan: Plan = make_plan(needs, budget=memory.budget, choice=choice, turns=turns)
        self.left_out = dict(left_out)
        self.history = SwapHistory()
        self.device = memory.device
        self._members = {member.name: member for member in members}
        self._mover = Mover(members, self.plan, memory, on_step=on_step, clock=clock)
        self._gate = DrainLock()
        self._drain_s = drain_s
        self._on_state = on_state
        self._watch = watch
        self._clock = clock
        self._state = State.EMPTY
        self._moving = threading.Lock()
        self._joining = threading.Lock()
        self._awaited = {member.name for member in members if member.is_deferred}
        self._cancelled = threading.Event()
        self._paused_at: float | None = None

    @property
    def state(self) -> State:
        """Where the pool is now."""
        return self._state

    def expected_s(self) -> float | None:
        """How long captions will be away, the summary's writing included: the median of earlier pauses; None: none."""
        return self.history.expected_s()

    def placements(self) -> list[Placement]:
        """Every model and where it is."""
        return [
            Placement(
                name,
                member.need.label,
                member.need.group,
                self._mover.where(name),
                member.need.size.total,
                self._mover.dtypes(name),
            )
            for name, member in self._members.items()
        ]

    @contextmanager
    def use(self, name: str, *, wait_s: float = 0.0) -> Iterator[Any]:
        """The model called `name`, which stays where it is until the block ends.

        Counts: a thread may use a model again, and others of its group, while it uses one. Waits up to `wait_s` seconds
        for a model that is away; a thread that swaps itself must not wait.

        Raises:
            NoSuchModel: the pool has none of that name.
            ModelAsleep: it is away, and did not come back in time.
            NotLoaded: it is deferred, and did not join yet.
        """
        member = self._member(name)
        with self._gate.enter(member.need.group, name, wait_s=wait_s):
            yield member.resident.model

    def start(self) -> None:
        """Brings the transcription models, and those that always stay, to the device; deferred ones `join` later.

        Raises what their loaders raise; nothing can be used then, and `start` may be called again.
        """
        with self._move(frozenset({State.EMPTY})):
            self._mover.steps.clear()
            self._mover.bring(Group.ALWAYS)
            self._mover.bring(Group.TRANSCRIPTION)
            self._gate.open(Group.TRANSCRIPTION)
            self._become(State.TRANSCRIPTION)

    def join(self, name: str) -> None:
        """Brings a deferred model while the others of its group are at work; nothing where that was done.

        Models that join at once do so one after the other. A model that cannot join is not waited for any more.

        Raises:
            NoSuchModel: the pool has none of that name.
            SwapUnderWay: another thread swaps, or captions are not at work; try again later.
            Others: whatever its loader, the device or the checks raise, MOVE_ERRORS; all else works as before.
        """
        member = self._member(name)
        with self._joining, self._move(frozenset({State.TRANSCRIPTION})):
            self._awaited.discard(name)
            self._mover.join(member)

    @property
    def is_complete(self) -> bool:
        """Whether every deferred model has joined, or failed to."""
        return not self._awaited

    def has(self, name: str) -> bool:
        """Whether there is a model of that name, wherever it is."""
        return name in self._members

    def prepare(self) -> None:
        """Loads the summariser beside the captions, asleep, so that the first swap does not wait for the disk.

        Without room for that (on a CPU), the first swap loads it. Raises what its loader raises; captions go on.
        """
        with self._move(frozenset({State.TRANSCRIPTION})):
            self._mover.load_ahead(Group.SUMMARIZATION)

    def cancel(self) -> None:
        """Stops a swap to the summariser at its next step; captions come back. Without one under way: nothing."""
        self._cancelled.set()
        self._gate.look_again()

    def swap_to_summarization(self) -> SwapRecord | None:
        """Captions out, summariser in; None where it is in already.

        Raises:
            SwapUnderWay: another thread moves models.
            ModelInUse, DrainTimeout: captions were in use for too long, or by this thread.
            SwapCancelled: `cancel` was called meanwhile.
            SwapFailed: the summariser could not be loaded or woken.
            CaptionsLost: nor could the captions, afterwards. After all others they work.
        """
        if self._state is State.SUMMARIZATION:
            return None
        with self._move(frozenset({State.TRANSCRIPTION})):
            self._cancelled.clear()
            self._become(State.TO_SUMMARIZATION)
            return self._recorded(Direction.TO_SUMMARIZATION, self._bring_summarizer)

    def swap_to_transcription(self) -> SwapRecord | None:
        """Summariser out, captions in; None where they are in already. Cannot be cancelled.

        Raises:
            SwapUnderWay: another thread moves models.
            ModelInUse, DrainTimeout: the summariser was in use for too long, or by this thread; it still is in.
            CaptionsLost: the captions' models could not be brought back, not even from disk.
        """
        if self._state is State.TRANSCRIPTION:
            return None
        with self._move(frozenset({State.SUMMARIZATION, State.LOST})):
            return self._recorded(Direction.TO_TRANSCRIPTION, self._go_home)

    def sleep(self) -> None:
        """Frees the device while nobody speaks; nothing where that was done. `wake` ends it.

        Raises:
            SwapUnderWay: another thread moves models, or the summariser has its turn.
            ModelInUse, DrainTimeout: captions were in use for too long, or by this thread.
            CannotSleep: a model would not go.
            CaptionsLost: nor could the captions be brought back then.
        """
        if self._state is State.ASLEEP:
            return
        if not self.is_complete:
            raise SwapUnderWay("Models are still joining.")
        with self._move(frozenset({State.TRANSCRIPTION})):
            self._drain(Group.TRANSCRIPTION, lambda: False)
            try:
                self._mover.rest()
            except MOVE_ERRORS as error:
                self._bring_captions()
                raise CannotSleep(f"The models could not be put to sleep, captions are back: {error}") from error
            self._become(State.ASLEEP)

    def wake(self) -> None:
        """Brings captions back after `sleep`; nothing where they are there, or another thread is at it.

        Raises:
            CaptionsLost: they could not be brought back, not even from disk.
        """
        with suppress(SwapUnderWay):
            if self._state is State.ASLEEP:
                with self._move(frozenset({State.ASLEEP})):
                    self._bring_captions()

    def _member(self, name: str) -> Member:
        if name not in self._members:
            raise NoSuchModel(f"No model is called {name!r}; the pool has {', '.join(self._members)}.")
        return self._members[name]

    # -- how -----------------------------------------------------------------------------------------------------------

    @contextmanager
    def _move(self, begins: frozenset[State]) -> Iterator[None]:
        """Keeps others from moving; raises SwapUnderWay where they do, or where this cannot begin."""
        if not self._moving.acquire(blocking=False):
            raise SwapUnderWay(f"Models are being moved already ({self._state}).")
        try:
            if self._state not in begins:
                raise SwapUnderWay(f"The pool is at {self._state}, and this begins at {' or '.join(sorted(begins))}.")
            with self._watch():
                yield
        finally:
            self._moving.release()

    def _become(self, state: State) -> None:
        self._state = state
        self._on_state(state)

    def _bring_summarizer(self) -> None:
        with ExitStack() as undo:
            undo.push(self._restore)
            self._mover.load_ahead(Group.SUMMARIZATION)
            self._pause_captions()
            self._mover.send_away(Group.TRANSCRIPTION)
            self._mover.bring(Group.SUMMARIZATION, pause=self._check_cancelled)
            self._check_cancelled()
            undo.pop_all()
        self._gate.open(Group.SUMMARIZATION)
        self._become(State.SUMMARIZATION)

    def _pause_captions(self) -> None:
        self._check_cancelled()
        if self.plan.residency is not Residency.CO_RESIDENT:
            self._paused_at = self._clock()
            self._drain(Group.TRANSCRIPTION, self._cancelled.is_set)

    def _drain(self, group: Group, is_cancelled: Callable[[], bool]) -> None:
        started = self._clock()
        self._gate.close(group, within_s=self._drain_s, is_cancelled=is_cancelled)
        self._mover.note(Step(StepKind.DRAIN, "", self._clock() - started))

    def _check_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise SwapCancelled("The swap was cancelled; captions are back.")

    def _restore(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """After anything went wrong on the way to the summariser."""
        # The failed frames hold what they had allocated on the device, which the captions need.
        traceback.clear_frames(trace)
        self._become(State.RESTORING)
        self._paused_at = None
        self._mover.drop(Group.SUMMARIZATION)
        self._bring_captions()

    def _go_home(self) -> None:
        before = self._state
        self._become(State.TO_TRANSCRIPTION)
        with ExitStack() as undo:
            undo.callback(self._become, before)
            self._drain(Group.SUMMARIZATION, lambda: False)
            undo.pop_all()
        self._mover.drop(Group.SUMMARIZATION)
        self._bring_captions()
        if self._paused_at is not None:
            self.history.add_pause(self._clock() - self._paused_at)
            self._paused_at = None

    def _bring_captions(self) -> None:
        """Wakes the transcription models; where that fails, loads them anew with nothing else in memory."""
        try:
            self._mover.bring(Group.TRANSCRIPTION)
        except MOVE_ERRORS as error:
            traceback.clear_frames(error.__traceback__)
            self._bring_captions_anew()
        self._gate.open(Group.TRANSCRIPTION)
        self._become(State.TRANSCRIPTION)

    def _bring_captions_anew(self) -> None:
        self._mover.forget(Group.SUMMARIZATION)
        self._mover.forget(Group.TRANSCRIPTION)
        try:
            self._mover.bring(Group.TRANSCRIPTION)
        except MOVE_ERRORS as error:
            self._mover.drop(Group.TRANSCRIPTION)
            self._become(State.LOST)
            raise CaptionsLost(f"The captions' models could not be brought back: {error}") from error

    def _recorded(self, direction: Direction, move: Callable[[], None]) -> SwapRecord:
        """Moves, and puts what came of it into the history."""
        self._mover.steps.clear()
        started = self._clock()
        outcome, reason = Outcome.FAILED, "interrupted"
        try:
            move()
            outcome, reason = Outcome.COMPLETED, ""
        except (SwapCancelled, ModelInUse, CaptionsLost) as error:
            outcome, reason = _OUTCOMES.get(type(error), Outcome.BUSY), str(error)
            raise
        except MOVE_ERRORS as error:
            reason = str(error)
            raise SwapFailed(f"The summariser could not be brought in, captions are back: {error}") from error
        finally:
            record = SwapRecord(direction, outcome, tuple(self._mover.steps), self._clock() - started, reason)
            self.history.add(record)
        return record


_OUTCOMES = {SwapCancelled: Outcome.CANCELLED, CaptionsLost: Outcome.FAILED}
"""Of named errors; the others mean that a model was in use."""
