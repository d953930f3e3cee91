"""Admits uses of a group of models and tracks which are in progress."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition, get_ident

from inference.models.residency.plan import Group


class ModelAsleep(RuntimeError):
    """The model is not on the device now; it returns after the swap."""


class ModelInUse(RuntimeError):
    """The model is in use and cannot leave the device; nothing was moved."""


class DrainTimeout(ModelInUse):
    """Uses in progress did not end within the allowed time."""


class SwapCancelled(RuntimeError):
    """The swap was cancelled on request; captions are back."""


class DrainLock:
    """Admits uses of a group while it is open; `close` waits for the remaining ones to end.

    Re-entrant: a thread that holds one model may take another of the group while the gate closes; refusing it would
    deadlock.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._open: set[Group] = {Group.ALWAYS}
        self._inside: Counter[tuple[Group, str, int]] = Counter()
        """Number of uses by group, model and thread."""

    @contextmanager
    def enter(self, group: Group, model: str, *, wait_s: float = 0.0) -> Iterator[None]:
        """Hold one use of `model`. Waits at most `wait_s` seconds for the group to open.

        Raises:
            ModelAsleep: the group did not open in time.
        """
        use = (group, model, get_ident())
        with self._changed:
            if not self._changed.wait_for(lambda: group in self._open or self._is_inside(group), wait_s):
                raise ModelAsleep(f"The model {model} is not on the device now: the other group has its turn.")
            self._inside[use] += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside[use] -= 1
                if not self._inside[use]:
                    del self._inside[use]
                self._changed.notify_all()

    def open(self, group: Group) -> None:
        """Admit uses of the group, starting with those already waiting."""
        with self._changed:
            self._open.add(group)
            self._changed.notify_all()

    def close(self, group: Group, *, within_s: float, is_cancelled: Callable[[], bool]) -> None:
        """Stop admitting uses and wait for those in progress. On failure the group's previous state is restored.

        Raises:
            ModelInUse: the calling thread itself uses a model of the group.
            DrainTimeout: other threads still use the group after `within_s` seconds.
            SwapCancelled: `is_cancelled` became true meanwhile.
        """
        with self._changed:
            if self._is_inside(group):
                raise ModelInUse(f"The thread that asks for the swap itself uses {', '.join(self.used(group))}.")
            was_open = group in self._open
            self._open.discard(group)
            ended = self._changed.wait_for(lambda: is_cancelled() or not self.used(group), within_s)
            if ended and not is_cancelled():
                return
            if was_open:
                self._open.add(group)
                self._changed.notify_all()
            if is_cancelled():
                raise SwapCancelled("The swap was cancelled before anything moved.")
            raise DrainTimeout(f"Still in use after {within_s:g} s: {', '.join(self.used(group))}.")

    def is_open(self, group: Group) -> bool:
        """Return whether a use would be admitted immediately."""
        return group in self._open

    def used(self, group: Group) -> list[str]:
        """Return the names of the group's models that are in use."""
        return sorted({model for used, model, _ in self._inside if used is group})

    def look_again(self) -> None:
        """Wake `close` so that it checks `is_cancelled`."""
        with self._changed:
            self._changed.notify_all()

    def _is_inside(self, group: Group) -> bool:
        thread = get_ident()
        return any(used is group and ident == thread for used, _, ident in self._inside)
