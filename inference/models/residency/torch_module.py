"""torch networks as residents: transformers, pyannote, and anything else made of modules."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from inference.models.device import CPU, Device
from inference.models.object_graph import reachable
from inference.models.residency.host_copies import WeightCopy, keep_copy
from inference.models.residency.layout import Layout, plan_layout
from inference.models.residency.resident import NotLoaded, WarmUpProbe, WeightsDamaged

if TYPE_CHECKING:
    import torch

M = TypeVar("M")


class TorchResident(Generic[M]):
    """Moves every network found inside one object, whatever device the loader put them on.

    The tensor objects stay the same and only their memory is replaced. Tied weights stay tied, and references to
    parameters stay valid. While asleep the tensors are empty.
    """

    def __init__(
        self,
        load: Callable[[], M],
        *,
        device: Device = CPU,
        folder: Path | None = None,
        warm_up: Callable[[M], object] = lambda model: None,
        loads_on_device: bool | None = None,
    ) -> None:
        """`load` creates the object when the pool asks for it. On a CPU the copy goes to `folder` (`FileCopy`).

        Loaders should return weights on the CPU. If one cannot (bitsandbytes quantizes on the GPU), set
        `loads_on_device=True`; the first load then waits for free memory. The result of `warm_up` must be identical
        after every wake.
        """
        self._load = load
        self._device = device
        self._folder = folder
        self._probe = WarmUpProbe(warm_up)
        self.loads_on_device = device.kind == "cpu" if loads_on_device is None else loads_on_device
        """Whether `load` takes device memory. On a CPU every load does."""
        self._model: M | None = None
        self._layout: Layout | None = None
        self._copy: WeightCopy | None = None

    @property
    def model(self) -> M:
        if self._model is None:
            raise NotLoaded("The model was not loaded, or its load failed.")
        return self._model

    @property
    def weights(self) -> int | None:
        """Bytes of the weights, or None before `load`."""
        if self._layout is not None:
            return self._layout.size
        return None if self._model is None else _weight_bytes(self._networks())

    def load(self) -> None:
        if self._model is None:
            self._model = self._load()
            self._probe.reset()

    def keep_copy(self) -> None:
        """Copy the weights, once. The networks are empty afterwards.

        Raises:
            Unmovable: a network holds a tensor that cannot be moved.
        """
        import torch

        if self._copy is None:
            # Tensors made in inference mode cannot be given other memory outside of it.
            with torch.inference_mode(mode=False):
                layout, spans = plan_layout(self._networks())
                self._copy = keep_copy(spans, layout.size, device=self._target(), folder=self._folder)
                self._layout = layout
                layout.empty(self._target())

    def sleep(self) -> None:
        import torch

        self.keep_copy()
        assert self._layout is not None
        with torch.inference_mode(mode=False):
            self._layout.empty(self._target())

    def wake(self) -> None:
        """Raises torch.OutOfMemoryError if the device is out of memory, and WeightsDamaged."""
        import torch

        with torch.inference_mode(mode=False):
            if self._copy is None or self._layout is None:
                for network in self._networks():
                    network.to(self._target())
            else:
                self._layout.point_to(self._fetched(self._copy))

    def warm_up(self) -> None:
        self._probe(self.model)

    def forget(self) -> None:
        self._model = self._layout = self._copy = None

    def _fetched(self, copy: WeightCopy) -> torch.Tensor:
        """Return the copy's bytes. Discards the model if the copy is damaged, so that the next load reads the disk."""
        try:
            return copy.fetch()
        except WeightsDamaged:
            self.forget()
            raise

    def _networks(self) -> list[torch.nn.Module]:
        import torch

        return reachable([self.model], lambda item: isinstance(item, torch.nn.Module))

    def _target(self) -> torch.device:
        import torch

        return torch.device("cpu") if self._device.kind == "cpu" else torch.device("cuda", self._device.index)


def _weight_bytes(networks: Iterable[torch.nn.Module]) -> int:
    """Return the bytes of parameters and buffers, counting shared ones once."""
    held = (tensor for network in networks for tensor in (*network.parameters(), *network.buffers()))
    return sum(tensor.nbytes for tensor in {id(tensor): tensor for tensor in held}.values())
