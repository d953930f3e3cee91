"""Who may use a group of models now, and who does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition, get_ident

from inference.models.residency.plan import Group


class ModelAsleep(RuntimeError):
    """The model is not there now; it will be after the swap."""


class ModelInUse(RuntimeError):
    """The model is in use, so it cannot leave; nothing was moved."""


class DrainTimeout(ModelInUse):
    """Uses that were under way did not end within the time allowed."""


class SwapCancelled(RuntimeError):
    """Somebody asked to stop the swap; captions are back."""


class DrainLock:
    """Lets uses of a group in while it is open, and waits for their end after it was closed.

    A thread that is inside may enter again, another model of the group included, even while others are kept out: it
    could not finish otherwise.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._open: set[Group] = {Group.ALWAYS}
        self._inside: Counter[tuple[Group, str, int]] = Counter()
        """Uses by group, model and thread."""

    @contextmanager
    def enter(self, group: Group, model: str, *, wait_s: float = 0.0) -> Iterator[None]:
        """One use of `model`, which waits at most `wait_s` for the group to open.

        Raises:
            ModelAsleep: the group did not open.
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
        """Lets uses in, those that wait first of all."""
        with self._changed:
            self._open.add(group)
            self._changed.notify_all()

    def close(self, group: Group, *, within_s: float, is_cancelled: Callable[[], bool]) -> None:
        """Lets no more uses in and waits for those under way; on any failure the group is open as before.

        Raises:
            ModelInUse: this very thread uses a model of the group.
            DrainTimeout: others still do after `within_s` seconds.
            SwapCancelled: `is_cancelled` came true meanwhile.
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
        """Whether a use would be let in at once."""
        return group in self._open

    def used(self, group: Group) -> list[str]:
        """Names of the group's models that are in use."""
        return sorted({model for used, model, _ in self._inside if used is group})

    def look_again(self) -> None:
        """Wakes `close` so that it asks `is_cancelled`."""
        with self._changed:
            self._changed.notify_all()

    def _is_inside(self, group: Group) -> bool:
        thread = get_ident()
        return any(used is group and ident == thread for used, _, ident in self._inside)
