"""The loader's interface to one network: its source files and how to read them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import torch


class NotMappable(ValueError):
    """The publisher's files cannot be mapped: they are compressed, or their tensors are named differently."""


@dataclass(frozen=True, slots=True)
class Form:
    """The form a network should have in memory."""

    device: Literal["cpu", "cuda"] = "cpu"
    """The device it will run on; every loading strategy leaves it on the host."""
    dtype: str = "float32"
    """Data type of its weights, as a torch name."""


class Component(Protocol):
    """One network of a model. All methods leave networks on the host, in evaluation mode."""

    @property
    def name(self) -> str:
        """Unique within the model's folder."""
        ...

    @property
    def folder(self) -> Path | None:
        """The model's folder, which also holds snapshots; None if the model is in the hub's cache."""
        ...

    @property
    def sources(self) -> tuple[Path, ...]:
        """The files that provide its weights and settings."""
        ...

    def read(self, form: Form) -> Any:
        """Load the standard way. Raises what the network's own loader raises."""
        ...

    def map(self, form: Form) -> Any:
        """Like `read`, but leave the weights in the source file until they are used.

        Raises:
            NotMappable: the files do not allow it.
        """
        ...

    def write_settings(self, network: Any, folder: Path) -> None:
        """Write everything except the weights as plain text files, including tokenizer and processor."""
        ...

    def build(self, folder: Path) -> Any:
        """Build the network from the settings in `folder`, with meaningless weights."""
        ...

    def probe(self, network: Any) -> torch.Tensor:
        """Return the output for a fixed input. Identical networks give the same output. Runs in inference mode."""
        ...
