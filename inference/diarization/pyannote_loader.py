"""Load pyannote.audio networks from checkpoints without executing code from the files."""

from __future__ import annotations

import json
import pickle
import warnings
from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.audio import SAMPLE_RATE
from inference.models.loading import ModelCorrupt
from inference.models.loading.component import Form
from inference.models.loading.single_file import SingleFile
from inference.models.loading.strategy import load
from inference.models.loading.weights import assign, without_initialisation
from inference.models.torchaudio_compat import import_torchaudio

if TYPE_CHECKING:
    import torch
    from pyannote.audio import Model

ARCHITECTURES = {
    "PyanNet": "pyannote.audio.models.segmentation",
    "WeSpeakerResNet34": "pyannote.audio.models.embedding",
}
"""The supported networks and the modules that define them."""


def load_network(path: Path, architecture: str) -> Model:
    """Return the network of a checkpoint, on the CPU and in evaluation mode; `architecture` is a key of ARCHITECTURES.

    Raises:
        FileNotFoundError: the file does not exist.
        ModelCorrupt: the file is not a checkpoint of that network.
    """
    network: Model = load(PyannoteNetwork(path, architecture), Form()).network
    return network


@dataclass(frozen=True)
class PyannoteNetwork(SingleFile):
    """`inference.models.loading.component.Component` of a checkpoint.

    pyannote's own `Model.from_pretrained` unpickles anything in the file. Here only the weights and the few classes
    that describe the task are allowed.
    """

    path: Path
    architecture: str

    def write_settings(self, network: Model, folder: Path) -> None:
        settings = {"settings": dict(network.hparams), "specifications": _plain(network.specifications)}
        (folder / "config.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")

    def build(self, folder: Path) -> Model:
        network = _network_class(self.architecture)
        from pyannote.audio.core.task import Problem, Resolution, Specifications

        written = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        about = written["specifications"]
        problem, resolution = Problem[about.pop("problem")], Resolution[about.pop("resolution")]
        warm_up = tuple(about.pop("warm_up"))
        specifications = Specifications(problem=problem, resolution=resolution, warm_up=warm_up, **about)
        return without_initialisation(lambda: _built(network, written["settings"], specifications))

    def probe(self, network: Model) -> torch.Tensor:
        """Return the output for two seconds of fixed noise."""
        import torch

        noise = torch.randn((1, 1, 2 * SAMPLE_RATE), generator=torch.Generator().manual_seed(0))
        answer: torch.Tensor = network(noise)
        return answer

    def load(self, *, is_mapped: bool) -> Model:
        import torch

        network = _network_class(self.architecture)
        from pyannote.audio.core.task import Problem, Resolution, Specifications

        allowed = [Problem, Resolution, Specifications, torch.torch_version.TorchVersion]
        try:
            with torch.serialization.safe_globals(allowed):
                checkpoint = torch.load(self.path, map_location="cpu", weights_only=True, mmap=is_mapped)
            # pyannote also writes settings of a base class that the network itself does not accept.
            taken = signature(network).parameters
            settings = {name: value for name, value in checkpoint["hyper_parameters"].items() if name in taken}
            specifications = checkpoint["pyannote.audio"]["specifications"]
            model = without_initialisation(lambda: _built(network, settings, specifications))
            assign(model, checkpoint["state_dict"], {})
        except (pickle.UnpicklingError, RuntimeError, KeyError, TypeError, AttributeError, EOFError) as error:
            raise ModelCorrupt(f"{self.path} is no {self.architecture} of pyannote: {error}") from error
        return model.eval()


def _network_class(architecture: str) -> Any:
    import_torchaudio()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="\\s*torchcodec", category=UserWarning)  # waveforms need no decoder
        return getattr(import_module(ARCHITECTURES[architecture]), architecture)


def _built(network: Any, settings: dict[str, Any], specifications: Any) -> Model:
    model: Model = network(**settings)
    model.specifications = specifications
    model.build()
    return model


def _plain(specifications: Any) -> dict[str, Any]:
    """Return the fields as JSON values; enums by name."""
    fields = {field: getattr(specifications, field) for field in specifications.__dataclass_fields__}
    return {name: value.name if isinstance(value, Enum) else value for name, value in fields.items()}
