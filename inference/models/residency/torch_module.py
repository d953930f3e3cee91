"""Networks of torch as residents: transformers, pyannote, anything that is made of modules."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from inference.models.device import CPU, Device
from inference.models.object_graph import reachable
from inference.models.residency.host_copies import WeightCopy, keep_copy
from inference.models.residency.layout import Layout, plan_layout
from inference.models.residency.resident import NotLoaded, Probe, WeightsDamaged

if TYPE_CHECKING:
    import torch

M = TypeVar("M")


class TorchResident(Generic[M]):
    """Moves all networks inside of one object, whatever the loader put them on.

    The tensor objects stay the same and only their memory is replaced, so tied weights stay tied, and whatever refers
    to a parameter still does. While asleep they are empty.
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
        """`load` makes the object and is called when the pool says so. A CPU's copy goes to `folder` (`FileCopy`).

        For a GPU the loader had better leave the weights on the host; where it cannot, as bitsandbytes quantizes on the
        GPU, say `loads_on_device`, and the first load waits for room. An answer of `warm_up` must be the same after
        every wake.
        """
        self._load = load
        self._device = device
        self._folder = folder
        self._probe = Probe(warm_up)
        self.loads_on_device = device.kind == "cpu" if loads_on_device is None else loads_on_device
        """See `Resident.loads_on_device`."""
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
        """See `Resident.weights`."""
        if self._layout is not None:
            return self._layout.size
        return None if self._model is None else _weight_bytes(self._networks())

    def load(self) -> None:
        """See `Resident.load`."""
        if self._model is None:
            self._model = self._load()
            self._probe.reset()

    def keep_copy(self) -> None:
        """Copies the weights, once; the networks are empty afterwards.

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
        """See `Resident.sleep`."""
        import torch

        self.keep_copy()
        assert self._layout is not None
        with torch.inference_mode(mode=False):
            self._layout.empty(self._target())

    def wake(self) -> None:
        """Raises torch.OutOfMemoryError where the device has no room, and WeightsDamaged."""
        import torch

        with torch.inference_mode(mode=False):
            if self._copy is None or self._layout is None:
                for network in self._networks():
                    network.to(self._target())
            else:
                self._layout.point_to(self._fetched(self._copy))

    def warm_up(self) -> None:
        """See `Resident.warm_up`."""
        self._probe(self.model)

    def forget(self) -> None:
        """See `Resident.forget`."""
        self._model = self._layout = self._copy = None

    def _fetched(self, copy: WeightCopy) -> torch.Tensor:
        """A damaged copy is of no use to anybody: the next load reads the disk."""
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
    """Of parameters and buffers, those that several networks hold once."""
    held = (tensor for network in networks for tensor in (*network.parameters(), *network.buffers()))
    return sum(tensor.nbytes for tensor in {id(tensor): tensor for tensor in held}.values())
