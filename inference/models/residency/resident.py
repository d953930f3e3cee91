"""A model as the pool sees it, and the kind that never leaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

M = TypeVar("M")
_UNSEEN = object()


class WeightsDamaged(RuntimeError):
    """A model woke up with other weights, or with other answers, than it had when it was loaded."""


class NotLoaded(RuntimeError):
    """The model is not in memory at all: its load failed, or it was forgotten."""


class Resident(Protocol):
    """Moves one model. Called by its pool alone, from one thread at a time, and never while the model is in use.

    All methods may be called again without harm. What they raise is answered by the pool.
    """

    @property
    def model(self) -> object:
        """What callers use. Raises NotLoaded where there is none."""
        ...

    @property
    def loads_on_device(self) -> bool:
        """Whether `load` takes memory of the device, as any does on a CPU."""
        ...

    @property
    def weights(self) -> int | None:
        """Bytes of the weights as measured after `load`; None where the library does not say."""
        ...

    def load(self) -> None:
        """From disk into memory; nothing where that was done."""
        ...

    def keep_copy(self) -> None:
        """Makes what later wakes come from. The model may be asleep afterwards."""
        ...

    def sleep(self) -> None:
        """Frees the device's memory; no weights are copied once there is a copy."""
        ...

    def wake(self) -> None:
        """Brings the weights to the device and checks them. Raises NotLoaded, WeightsDamaged."""
        ...

    def warm_up(self) -> None:
        """A short run, so that the first real one does not wait for memory and kernels."""
        ...

    def forget(self) -> None:
        """Lets go of the model and its copy, whatever state they are in; `load` brings it again."""
        ...


class Probe(Generic[M]):
    """A warm-up run whose answer, where it has one, must be the same ever after."""

    def __init__(self, run: Callable[[M], object]) -> None:
        self._run = run
        self._answer: object = _UNSEEN

    def reset(self) -> None:
        """After a load from disk, which may be of other weights."""
        self._answer = _UNSEEN

    def __call__(self, model: M) -> None:
        """Raises WeightsDamaged when the answer is not that of the first time."""
        answer = self._run(model)
        if self._answer is _UNSEEN:
            self._answer = answer
        elif answer != self._answer:
            raise WeightsDamaged(
                f"The warm-up run gave {answer!r}; when the model was loaded it gave {self._answer!r}."
            )


class HostOnlyResident(Generic[M]):
    """A model that never leaves the host's memory, such as the starter translation or an ONNX detector."""

    weights: int | None = None
    loads_on_device = False

    def __init__(self, load: Callable[[], M], *, warm_up: Callable[[M], object]) -> None:
        self._load = load
        self._probe = Probe(warm_up)
        self._model: M | None = None

    @property
    def model(self) -> M:
        if self._model is None:
            raise NotLoaded("The model was not loaded, or its load failed.")
        return self._model

    def load(self) -> None:
        """See `Resident.load`."""
        if self._model is None:
            self._model = self._load()
            self._probe.reset()

    def keep_copy(self) -> None:
        """Nothing: it stays."""

    def sleep(self) -> None:
        """Nothing: it stays."""

    def wake(self) -> None:
        """Nothing: it is there."""

    def warm_up(self) -> None:
        """See `Resident.warm_up`."""
        self._probe(self.model)

    def forget(self) -> None:
        """See `Resident.forget`."""
        self._model = None
