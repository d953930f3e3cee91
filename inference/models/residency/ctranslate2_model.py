"""CTranslate2 models as residents.

On a GPU, `unload_model(to_cpu=True)` keeps a copy on the host. `load_model(keep_cache=True)` preserves that copy, so
every later unload only frees memory. On a CPU, `to_cpu=True` does nothing; there a model is dropped and read from its
file again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from inference.models.device import CPU, Device
from inference.models.object_graph import reachable
from inference.models.residency.resident import NotLoaded, WarmUpProbe

M = TypeVar("M")

UNLOAD_S = 5.0
"""How long CTranslate2 may take to register that its last batch has ended."""
UNLOAD_POLL_S = 0.002


class StillLoaded(RuntimeError):
    """CTranslate2 did not unload a model, probably because a batch is still running."""


class Handle(Protocol):
    """The methods that CTranslate2's Whisper, Translator, Generator and Encoder share."""

    @property
    def model_is_loaded(self) -> bool: ...

    def unload_model(self, to_cpu: bool = False) -> None: ...

    def load_model(self, keep_cache: bool = False) -> None: ...


class CTranslate2Resident(Generic[M]):
    """Moves every CTranslate2 model found inside one object."""

    weights: int | None = None
    loads_on_device = True

    def __init__(
        self,
        load: Callable[[], M],
        *,
        device: Device = CPU,
        warm_up: Callable[[M], object] = lambda model: None,
        unload_s: float = UNLOAD_S,
    ) -> None:
        """The weights cannot be read from outside, so the result of `warm_up` stands in for a checksum.

        It must be identical after every wake; a decode of fixed audio is suitable.
        """
        self._load = load
        self._on_gpu = device.kind != "cpu"
        self._probe = WarmUpProbe(warm_up)
        self._unload_s = unload_s
        self._model: M | None = None
        self._handles: list[Handle] = []

    @property
    def model(self) -> M:
        if self._model is None:
            raise NotLoaded("The model was not loaded, or its load failed.")
        return self._model

    def load(self) -> None:
        """Raises the errors that CTranslate2 raises for a folder without a model."""
        if self._model is None:
            self._model = self._load()
            self._handles = reachable([self._model], lambda item: hasattr(type(item), "unload_model"))
            self._probe.reset()

    def keep_copy(self) -> None:
        """Create the host copy by unloading once. Does nothing on a CPU."""
        if self._on_gpu:
            self.sleep()

    def sleep(self) -> None:
        """Raises:
        StillLoaded: a batch is still running.
        """
        assert self.model is not None
        deadline = time.monotonic() + self._unload_s
        for handle in self._handles:
            while handle.model_is_loaded:
                # `unload_model` silently does nothing while a batch runs, and for a moment after its result has
                # arrived.
                handle.unload_model(to_cpu=self._on_gpu)
                if handle.model_is_loaded:
                    _wait_until(deadline)

    def wake(self) -> None:
        """Raises RuntimeError if the file is gone or the device is out of memory."""
        assert self.model is not None
        for handle in self._handles:
            handle.load_model(keep_cache=self._on_gpu)
            if not handle.model_is_loaded:
                raise NotLoaded("CTranslate2 did not load the model again.")

    def warm_up(self) -> None:
        self._probe(self.model)

    def forget(self) -> None:
        self._model = None
        self._handles = []


def _wait_until(deadline: float) -> None:
    if time.monotonic() >= deadline:
        raise StillLoaded("CTranslate2 still holds its model: a batch must be running.")
    time.sleep(UNLOAD_POLL_S)
