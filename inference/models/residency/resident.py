"""The interface between the pool and a model, and the implementation for models that never leave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

M = TypeVar("M")
_UNSEEN = object()


class WeightsDamaged(RuntimeError):
    """After waking, a model has other weights or gives other results than when it was loaded."""


class NotLoaded(RuntimeError):
    """The model is not in memory: it was never loaded, its load failed, or it was discarded."""


class Resident(Protocol):
    """Moves one model. Called only by its pool, from one thread at a time, and never while the model is in use.

    All methods are idempotent. The pool handles what they raise.
    """

    @property
    def model(self) -> object:
        """The object that callers use. Raises NotLoaded if there is none."""
        ...

    @property
    def loads_on_device(self) -> bool:
        """Whether `load` takes device memory. On a CPU every load does."""
        ...

    @property
    def weights(self) -> int | None:
        """Bytes of the weights as measured after `load`, or None if the library does not report them."""
        ...

    def load(self) -> None:
        """Load from disk into memory. Does nothing if already loaded."""
        ...

    def keep_copy(self) -> None:
        """Make the copy that later wakes read from. The model may be asleep afterwards."""
        ...

    def sleep(self) -> None:
        """Free the device memory. Once a copy exists, no weights are copied."""
        ...

    def wake(self) -> None:
        """Bring the weights to the device and verify them. Raises NotLoaded, WeightsDamaged."""
        ...

    def warm_up(self) -> None:
        """Run briefly, so that the first real run does not wait for memory and kernels."""
        ...

    def forget(self) -> None:
        """Discard the model and its copy in any state; `load` restores it."""
        ...


class WarmUpProbe(Generic[M]):
    """A warm-up run whose result, if it has one, must stay the same."""

    def __init__(self, run: Callable[[M], object]) -> None:
        self._run = run
        self._answer: object = _UNSEEN

    def reset(self) -> None:
        """Forget the expected result after a load from disk, which may bring other weights."""
        self._answer = _UNSEEN

    def __call__(self, model: M) -> None:
        """Raises WeightsDamaged if the result differs from the first one."""
        answer = self._run(model)
        if self._answer is _UNSEEN:
            self._answer = answer
        elif answer != self._answer:
            raise WeightsDamaged(
                f"The warm-up run gave {answer!r}; when the model was loaded it gave {self._answer!r}."
            )


class HostOnlyResident(Generic[M]):
    """A model that never leaves host memory, such as the starter translation or an ONNX detector."""

    weights: int | None = None
    loads_on_device = False

    def __init__(self, load: Callable[[], M], *, warm_up: Callable[[M], object]) -> None:
        self._load = load
        self._probe = WarmUpProbe(warm_up)
        self._model: M | None = None

    @property
    def model(self) -> M:
        if self._model is None:
            raise NotLoaded("The model was not loaded, or its load failed.")
        return self._model

    def load(self) -> None:
        if self._model is None:
            self._model = self._load()
            self._probe.reset()

    def keep_copy(self) -> None:
        """Do nothing: the model never leaves."""

    def sleep(self) -> None:
        """Do nothing: the model never leaves."""

    def wake(self) -> None:
        """Do nothing: the model never leaves."""

    def warm_up(self) -> None:
        self._probe(self.model)

    def forget(self) -> None:
        self._model = None
