"""One network as the loader sees it: where it comes from, and how it is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import torch


class NotMappable(ValueError):
    """The publisher's files cannot be used where they lie: they are packed, or named otherwise than the network."""


@dataclass(frozen=True, slots=True)
class Form:
    """What a network is to look like in memory."""

    device: Literal["cpu", "cuda"] = "cpu"
    """What it will run on; every way of loading leaves it on the host."""
    dtype: str = "float32"
    """Of its weights: a torch type's name."""


class Component(Protocol):
    """One network of a model. Its methods leave networks on the host, in evaluation mode."""

    @property
    def name(self) -> str:
        """Distinct within the model's folder."""
        ...

    @property
    def folder(self) -> Path | None:
        """The model's folder, which keeps snapshots too; None: the hub's own cache holds the model."""
        ...

    @property
    def sources(self) -> tuple[Path, ...]:
        """The files that its weights and settings come from."""
        ...

    def read(self, form: Form) -> Any:
        """The standard way. Raises what the network's own loader raises."""
        ...

    def map(self, form: Form) -> Any:
        """As `read`, with weights that stay in the source's file until they are used.

        Raises:
            NotMappable: the files do not allow it.
        """
        ...

    def write_settings(self, network: Any, folder: Path) -> None:
        """Everything but the weights, tokenizer and processor included, as plain text files."""
        ...

    def build(self, folder: Path) -> Any:
        """The network of the settings in `folder`, with weights that mean nothing yet."""
        ...

    def probe(self, network: Any) -> torch.Tensor:
        """An answer to a fixed question: two networks that are the same give the same. Asked in inference mode."""
        ...
