"""Networks of pyannote.audio from their checkpoints, without running what the files hold."""

from __future__ import annotations

import os
import pickle
import warnings
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING

from inference.loading import ModelCorrupt
from inference.torchaudio_compat import import_torchaudio

if TYPE_CHECKING:
    from pyannote.audio import Model

ARCHITECTURES = {
    "PyanNet": "pyannote.audio.models.segmentation",
    "WeSpeakerResNet34": "pyannote.audio.models.embedding",
}
"""The networks that may be asked for, and the modules that have them."""


def load_network(path: Path, architecture: str) -> Model:
    """The network of a checkpoint, on the CPU, ready to judge; `architecture` is a key of ARCHITECTURES.

    pyannote's own `Model.from_pretrained` unpickles whatever the file holds; here only its weights and the few classes
    that describe the task may come out of it.

    Raises:
        FileNotFoundError: there is no such file.
        ModelCorrupt: the file is no checkpoint of that network.
    """
    os.environ.setdefault("PYANNOTE_METRICS_ENABLED", "false")  # it reports uses to its makers otherwise
    import_torchaudio()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="\\s*torchcodec", category=UserWarning)  # waveforms need no decoder
        from pyannote.audio.core.task import Problem, Resolution, Specifications

        network = getattr(import_module(ARCHITECTURES[architecture]), architecture)
    import torch

    try:
        with torch.serialization.safe_globals([Problem, Resolution, Specifications, torch.torch_version.TorchVersion]):
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        # pyannote writes settings of a base class that the network itself does not take.
        taken = signature(network).parameters
        settings = {name: value for name, value in checkpoint["hyper_parameters"].items() if name in taken}
        model: Model = network(**settings)
        model.specifications = checkpoint["pyannote.audio"]["specifications"]
        model.build()
        model.load_state_dict(checkpoint["state_dict"])
    except (pickle.UnpicklingError, RuntimeError, KeyError, TypeError, AttributeError, EOFError) as error:
        raise ModelCorrupt(f"{path} is no {architecture} of pyannote: {error}") from error
    return model.eval()
