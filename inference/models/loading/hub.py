"""transformers networks in the hub's layout: `config.json`, weights as safetensors or a pickled state."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.models.loading.component import Form, NotMappable
from inference.models.loading.weights import assign, convert, map_tensors, untie, without_initialisation
from inference.models.torchaudio_compat import import_transformers

if TYPE_CHECKING:
    import torch

EquivalenceProbe = Callable[[Any], "torch.Tensor"]
WriteProcessor = Callable[[Path], object]
PICKLED = "pytorch_model*.bin"


@dataclass(frozen=True)
class HubNetwork:
    """`Component` for a transformers class, from a folder or a hub repository."""

    name: str
    origin: str | Path
    """A folder, or a repository name."""
    architecture: str
    """A transformers class, such as AutoModelForCausalLM."""
    write_processor: WriteProcessor
    """Writes tokenizer and processor into a folder."""
    ask: EquivalenceProbe
    """Runs the network on a fixed input, for `probe`."""

    @property
    def folder(self) -> Path | None:
        """The model's folder, or None if `origin` is a repository."""
        return Path(self.origin) if Path(self.origin).is_dir() else None

    @property
    def sources(self) -> tuple[Path, ...]:
        """Weights and configuration. The processor's files are copied as they are and do not count."""
        return (*self._weights(), *self._settings())

    def read(self, form: Form) -> Any:
        """Load with `from_pretrained`. Raises OSError if the model is neither local nor downloadable."""
        import torch

        import_transformers().utils.logging.disable_progress_bar()
        return self._class().from_pretrained(self.origin, dtype=getattr(torch, form.dtype)).eval()

    def map(self, form: Form) -> Any:
        """Build the network on weights mapped from their files. Raises NotMappable."""
        import torch

        if self.folder is None:
            raise NotMappable(f"{self.name} lies in the hub's cache, which is not looked into")
        dtype = getattr(torch, form.dtype)
        network = self._built(self.folder, dtype)
        tensors = {name: tensor for path in self._weights() for name, tensor in _mapped(path, dtype).items()}
        _, tied = untie(network)
        for alias, name in tied.items():
            # Files hold only one of the tied tensors, seldom the one that the network names first.
            tensors.setdefault(name, tensors.get(alias, tensors.get(name)))
            tensors.pop(alias, None)
        try:
            assign(network, tensors, tied)
        except (RuntimeError, KeyError, AttributeError) as error:
            raise NotMappable(f"the weights have other names than the network: {error}") from error
        network.config.dtype = dtype
        return network.eval()

    def write_settings(self, network: Any, folder: Path) -> None:
        network.config.save_pretrained(folder)
        network.generation_config.save_pretrained(folder)
        self.write_processor(folder)

    def build(self, folder: Path) -> Any:
        return self._built(folder)

    def _built(self, folder: Path, dtype: torch.dtype | None = None) -> Any:
        """Build in `dtype`, by default the one in the settings; constants are computed in it."""
        transformers = import_transformers()
        config = transformers.AutoConfig.from_pretrained(folder)
        config.dtype = config.dtype if dtype is None else dtype
        make = self._class()
        network = without_initialisation(lambda: make.from_config(config) if is_auto(make) else make(config))
        if (folder / "generation_config.json").is_file():
            network.generation_config = transformers.GenerationConfig.from_pretrained(folder)
        return network

    def probe(self, network: Any) -> torch.Tensor:
        return self.ask(network)

    def _class(self) -> Any:
        return getattr(import_transformers(), self.architecture)

    def _weights(self) -> tuple[Path, ...]:
        """Return the files of the first format that the folder has."""
        if self.folder is None:
            return ()
        return tuple(sorted(self.folder.glob("*.safetensors")) or sorted(self.folder.glob(PICKLED)))

    def _settings(self) -> tuple[Path, ...]:
        names = ("config.json", "generation_config.json")
        return tuple(self.folder / name for name in names if (self.folder / name).is_file()) if self.folder else ()


def is_auto(make: Any) -> bool:
    """Return whether `make` is one of transformers' auto classes, which only select the real class."""
    return hasattr(make, "from_config")


def _mapped(path: Path, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    import torch
    from safetensors import SafetensorError

    try:
        if path.suffix == ".safetensors":
            return map_tensors(path, dtype=dtype)
        return convert(torch.load(path, map_location="cpu", weights_only=True, mmap=True), dtype)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise NotMappable(f"{path.name} cannot be mapped: {error}") from error
