"""The models of one device, and the swap between transcription and summarization.

Transcription is the default state. `swap_to_summarization` either makes the summarizer ready or restores captions;
`swap_to_transcription` returns to the default. `sleep` frees the device while captions are not needed, until `wake`.
Nothing else moves a model, apart from loads by `start`, `join` and `prepare`.
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
from inference.models.residency.history import Direction, Step, StepKind, SwapHistory, SwapOutcome, SwapRecord
from inference.models.residency.memory import DeviceMemory
from inference.models.residency.plan import Group, Plan, PlanChoice, Residency, make_plan
from inference.models.residency.transfers import MOVE_ERRORS, Member, Mover, Where

POOL_DRAIN_S = 30.0
"""How long uses in progress may take to end; longer than any single batch."""


class PoolState(StrEnum):
    """State of the pool. Every change is reported to `on_state`."""

    EMPTY = "empty"
    TRANSCRIPTION = "transcription"
    TO_SUMMARIZATION = "to summarization"
    SUMMARIZATION = "summarization"
    TO_TRANSCRIPTION = "to transcription"
    RESTORING = "restoring"
    """A swap failed, and captions are being restored."""
    ASLEEP = "asleep"
    """Captions are not needed: the device is free until `wake`."""
    LOST = "lost"
    """Captions could not be restored. `swap_to_transcription` retries, and so does a new process."""


class NoSuchModel(LookupError):
    """The pool has no model of that name."""


class SwapUnderWay(RuntimeError):
    """Another thread is moving models, or the operation is not allowed in the pool's state."""


class SwapFailed(RuntimeError):
    """The summarizer could not be made ready; captions are back. The cause is chained."""


class CannotSleep(RuntimeError):
    """A model could not be moved off the device; captions are back. The cause is chained."""


class CaptionsLost(RuntimeError):
    """The transcription models could not be restored; the process should restart."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Location of one model, for display."""

    name: str
    label: str
    group: Group
    where: Where
    size: int
    """Bytes on the device while awake."""
    dtypes: tuple[str, ...]
    """Data types of the weights as loaded, the one with most bytes first; empty if never loaded."""


class ModelPool:
    """Owns the device's models. `use` is thread-safe; so are the operations that move models, one at a time."""

    def __init__(
        self,
        members: Sequence[Member],
        memory: DeviceMemory,
        *,
        choice: PlanChoice = "auto",
        left_out: Mapping[str, Exception] = MappingProxyType({}),
        drain_s: float = POOL_DRAIN_S,
        on_state: Callable[[PoolState], object] = lambda state: None,
        on_step: Callable[[Step], object] = lambda step: None,
        watch: Callable[[], AbstractContextManager[object]] = nullcontext,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Does not load anything yet. `left_out` maps the names of unavailable models to the reason.

        `on_state` and `on_step` are called in the thread that moves models. The context manager that `watch` returns is
        entered there for the duration of every move, so that a move that hangs is noticed.

        Raises:
            DoesNotFit: the models can never fit the memory budget.
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
        self._state = PoolState.EMPTY
        self._moving = threading.Lock()
        self._joining = threading.Lock()
        self._awaited = {member.name for member in members if member.is_deferred}
        self._cancelled = threading.Event()
        self._paused_at: float | None = None

    @property
    def state(self) -> PoolState:
        """Current state of the pool."""
        return self._state

    def expected_s(self) -> float | None:
        """Return how long captions will pause, including the summary: the median of earlier pauses, or None if none."""
        return self.history.expected_s()

    def placements(self) -> list[Placement]:
        """Return every model and its location."""
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
        """Yield the model called `name`; it is not moved until the block ends.

        Uses are counted: a thread may use a model again, and others of its group, while it uses one. Waits up to
        `wait_s` seconds for a model that is away; a thread that performs swaps itself must not wait.

        Raises:
            NoSuchModel: the pool has no model of that name.
            ModelAsleep: the model is away and did not return in time.
            NotLoaded: the model is deferred and has not joined yet.
        """
        member = self._member(name)
        with self._gate.enter(member.need.group, name, wait_s=wait_s):
            yield member.resident.model

    def start(self) -> None:
        """Bring the transcription models and the permanent ones to the device. Deferred models `join` later.

        Raises what the loaders raise. No model can be used then, and `start` may be called again.
        """
        with self._move(frozenset({PoolState.EMPTY})):
            self._mover.steps.clear()
            self._mover.bring(Group.ALWAYS)
            self._mover.bring(Group.TRANSCRIPTION)
            self._gate.open(Group.TRANSCRIPTION)
            self._become(PoolState.TRANSCRIPTION)

    def join(self, name: str) -> None:
        """Bring a deferred model while the others of its group keep working. Does nothing if it has joined.

        Models that join concurrently do so one at a time. A model that fails to join no longer counts as pending.

        Raises:
            NoSuchModel: the pool has no model of that name.
            SwapUnderWay: another thread is swapping, or captions are not running; try again later.
            Others: any of MOVE_ERRORS from its loader, the device or the checks; all other models are unaffected.
        """
        member = self._member(name)
        with self._joining, self._move(frozenset({PoolState.TRANSCRIPTION})):
            self._awaited.discard(name)
            self._mover.join(member)

    @property
    def is_complete(self) -> bool:
        """Whether every deferred model has joined or failed to."""
        return not self._awaited

    def has(self, name: str) -> bool:
        """Return whether the pool has a model of that name, wherever it is."""
        return name in self._members

    def prepare(self) -> None:
        """Load the summarizer in advance, asleep, so that the first swap does not wait for the disk.

        If there is no room for it (on a CPU), the first swap loads it. Raises what its loader raises; captions
        continue.
        """
        with self._move(frozenset({PoolState.TRANSCRIPTION})):
            self._mover.load_ahead(Group.SUMMARIZATION)

    def cancel(self) -> None:
        """Stop a swap to the summarizer at its next step and restore captions. Does nothing if none is in progress."""
        self._cancelled.set()
        self._gate.look_again()

    def swap_to_summarization(self) -> SwapRecord | None:
        """Move captions out and the summarizer in. Return None if the summarizer is already in.

        Raises:
            SwapUnderWay: another thread is moving models.
            ModelInUse, DrainTimeout: captions were in use for too long, or by this thread.
            SwapCancelled: `cancel` was called meanwhile.
            SwapFailed: the summarizer could not be loaded or woken.
            CaptionsLost: captions could not be restored afterwards. After all other errors they work.
        """
        if self._state is PoolState.SUMMARIZATION:
            return None
        with self._move(frozenset({PoolState.TRANSCRIPTION})):
            self._cancelled.clear()
            self._become(PoolState.TO_SUMMARIZATION)
            return self._recorded(Direction.TO_SUMMARIZATION, self._bring_summarizer)

    def swap_to_transcription(self) -> SwapRecord | None:
        """Move the summarizer out and captions in. Return None if captions are already in. Cannot be cancelled.

        Raises:
            SwapUnderWay: another thread is moving models.
            ModelInUse, DrainTimeout: the summarizer was in use for too long, or by this thread; it stays in.
            CaptionsLost: the transcription models could not be restored, not even from disk.
        """
        if self._state is PoolState.TRANSCRIPTION:
            return None
        with self._move(frozenset({PoolState.SUMMARIZATION, PoolState.LOST})):
            return self._recorded(Direction.TO_TRANSCRIPTION, self._go_home)

    def sleep(self) -> None:
        """Free the device while captions are not needed; `wake` reverses it. Does nothing if already asleep.

        Raises:
            SwapUnderWay: another thread is moving models, models are joining, or the summarizer has its turn.
            ModelInUse, DrainTimeout: captions were in use for too long, or by this thread.
            CannotSleep: a model could not be moved.
            CaptionsLost: captions could not be restored after that.
        """
        if self._state is PoolState.ASLEEP:
            return
        if not self.is_complete:
            raise SwapUnderWay("Models are still joining.")
        with self._move(frozenset({PoolState.TRANSCRIPTION})):
            self._drain(Group.TRANSCRIPTION, lambda: False)
            try:
                self._mover.rest()
            except MOVE_ERRORS as error:
                self._bring_captions()
                raise CannotSleep(f"The models could not be put to sleep, captions are back: {error}") from error
            self._become(PoolState.ASLEEP)

    def wake(self) -> None:
        """Bring captions back after `sleep`. Does nothing if they are back or another thread moves models.

        Raises:
            CaptionsLost: they could not be restored, not even from disk.
        """
        with suppress(SwapUnderWay):
            if self._state is PoolState.ASLEEP:
                with self._move(frozenset({PoolState.ASLEEP})):
                    self._bring_captions()

    def _member(self, name: str) -> Member:
        if name not in self._members:
            raise NoSuchModel(f"No model is called {name!r}; the pool has {', '.join(self._members)}.")
        return self._members[name]

    # -- how -----------------------------------------------------------------------------------------------------------

    @contextmanager
    def _move(self, begins: frozenset[PoolState]) -> Iterator[None]:
        """Hold the right to move models. Raises SwapUnderWay if another thread holds it or the state forbids it."""
        if not self._moving.acquire(blocking=False):
            raise SwapUnderWay(f"Models are being moved already ({self._state}).")
        try:
            if self._state not in begins:
                raise SwapUnderWay(f"The pool is at {self._state}, and this begins at {' or '.join(sorted(begins))}.")
            with self._watch():
                yield
        finally:
            self._moving.release()

    def _become(self, state: PoolState) -> None:
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
        self._become(PoolState.SUMMARIZATION)

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
        """Restore captions after any error on the way to the summarizer."""
        # The failed frames hold device memory that the captions need.
        traceback.clear_frames(trace)
        self._become(PoolState.RESTORING)
        self._paused_at = None
        self._mover.drop(Group.SUMMARIZATION)
        self._bring_captions()

    def _go_home(self) -> None:
        before = self._state
        self._become(PoolState.TO_TRANSCRIPTION)
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
        """Wake the transcription models; if that fails, reload them with nothing else in memory."""
        try:
            self._mover.bring(Group.TRANSCRIPTION)
        except MOVE_ERRORS as error:
            traceback.clear_frames(error.__traceback__)
            self._bring_captions_anew()
        self._gate.open(Group.TRANSCRIPTION)
        self._become(PoolState.TRANSCRIPTION)

    def _bring_captions_anew(self) -> None:
        self._mover.forget(Group.SUMMARIZATION)
        self._mover.forget(Group.TRANSCRIPTION)
        try:
            self._mover.bring(Group.TRANSCRIPTION)
        except MOVE_ERRORS as error:
            self._mover.drop(Group.TRANSCRIPTION)
            self._become(PoolState.LOST)
            raise CaptionsLost(f"The captions' models could not be brought back: {error}") from error

    def _recorded(self, direction: Direction, move: Callable[[], None]) -> SwapRecord:
        """Run `move` and record its outcome in the history."""
        self._mover.steps.clear()
        started = self._clock()
        outcome, reason = SwapOutcome.FAILED, "interrupted"
        try:
            move()
            outcome, reason = SwapOutcome.COMPLETED, ""
        except (SwapCancelled, ModelInUse, CaptionsLost) as error:
            outcome, reason = _OUTCOMES.get(type(error), SwapOutcome.BUSY), str(error)
            raise
        except MOVE_ERRORS as error:
            reason = str(error)
            raise SwapFailed(f"The summariser could not be brought in, captions are back: {error}") from error
        finally:
            record = SwapRecord(direction, outcome, tuple(self._mover.steps), self._clock() - started, reason)
            self.history.add(record)
        return record


_OUTCOMES = {SwapCancelled: SwapOutcome.CANCELLED, CaptionsLost: SwapOutcome.FAILED}
"""Outcomes of these errors; the other errors mean that a model was in use."""
