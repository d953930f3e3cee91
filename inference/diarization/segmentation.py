"""Local speakers: who of at most three voices speaks when, within ten seconds of audio.

pyannote segmentation 3.0 (Plaquet & Bredin 2023, "Powerset multi-class cross entropy loss for neural speaker
diarization"; MIT): for each frame one of seven classes, nobody, one of three voices, or two of them at once. The order
of the voices means nothing beyond their window.
"""

from __future__ import annotations

import os
import pickle
import warnings
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from inference.audio import SAMPLE_RATE
from inference.loading import ModelCorrupt
from inference.torchaudio_compat import import_torchaudio

if TYPE_CHECKING:
    from pyannote.audio.models.segmentation import PyanNet

WINDOW_S = 10
"""Seconds judged at once; the model knows no other length."""

WINDOW = WINDOW_S * SAMPLE_RATE
LOCAL_SPEAKERS = 3
VOICES_AT_ONCE = 2
FRAMES = 589
"""Frames of a window."""

FRAME = 270
"""Samples from one frame to the next: 16.9 ms."""

FRAME_OFFSET = 496
"""Samples from the start of a window to the middle of its first frame."""


class Segmenter(Protocol):
    """Shared by all meetings: holds no state of any of them."""

    def segment(self, audio: np.ndarray) -> np.ndarray:
        """Who speaks in float32 `audio`, shape (WINDOW,): bool, shape (FRAMES, LOCAL_SPEAKERS)."""
        ...


class PyannoteSegmenter:
    """`Segmenter` with a checkpoint of pyannote's PyanNet on the CPU."""

    def __init__(self, path: Path) -> None:
        """Raises FileNotFoundError, or ModelCorrupt when the file is no such checkpoint."""
        self._model = load_network(path)
        self._classes = _powerset_classes()

    def segment(self, audio: np.ndarray) -> np.ndarray:
        import torch

        if audio.shape != (WINDOW,):
            raise ValueError(f"a window has {WINDOW} samples, not {audio.shape}")
        with torch.inference_mode():
            scores = self._model(torch.as_tensor(audio, dtype=torch.float32)[None, None])[0]
        return self._classes[scores.argmax(dim=-1).numpy()]


def load_network(path: Path) -> PyanNet:
    """The network of a checkpoint, ready to judge.

    pyannote's own `Model.from_pretrained` unpickles whatever the file holds; here only its weights and the few classes
    that describe the task may come out of it.

    Raises:
        FileNotFoundError: there is no such file.
        ModelCorrupt: the file is no such checkpoint.
    """
    os.environ.setdefault("PYANNOTE_METRICS_ENABLED", "false")  # it reports uses to its makers otherwise
    import_torchaudio()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="\\s*torchcodec", category=UserWarning)  # waveforms need no decoder
        from pyannote.audio.core.task import Problem, Resolution, Specifications
        from pyannote.audio.models.segmentation import PyanNet
    import torch

    try:
        with torch.serialization.safe_globals([Problem, Resolution, Specifications, torch.torch_version.TorchVersion]):
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        model = PyanNet(**checkpoint["hyper_parameters"])
        model.specifications = checkpoint["pyannote.audio"]["specifications"]
        model.build()
        model.load_state_dict(checkpoint["state_dict"])
    except (pickle.UnpicklingError, RuntimeError, KeyError, TypeError, EOFError) as error:
        raise ModelCorrupt(f"{path} is no segmentation model of pyannote: {error}") from error
    return model.eval()


def _powerset_classes() -> np.ndarray:
    """Who speaks in each class: bool, shape (7, LOCAL_SPEAKERS), nobody first, then one voice, then two."""
    sets = [one for size in range(VOICES_AT_ONCE + 1) for one in combinations(range(LOCAL_SPEAKERS), size)]
    return np.array([[voice in one for voice in range(LOCAL_SPEAKERS)] for one in sets])
