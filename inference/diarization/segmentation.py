"""Speaker segmentation: which of at most three speakers is active when, within ten seconds of audio.

pyannote segmentation 3.0 (Plaquet & Bredin 2023, "Powerset multi-class cross entropy loss for neural speaker
diarization"; MIT) assigns one of seven classes to each frame: silence, one of three speakers, or two of them at once.
The order of the speakers has no meaning beyond their window.
"""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Protocol

import numpy as np

from inference.audio import SAMPLE_RATE
from inference.diarization.pyannote_loader import load_network
from inference.models.device import CPU, Device
from inference.models.loading import ModelCorrupt
from inference.models.optimization.execution import Execution, torch_device
from inference.models.optimization.flags import Component, FlagChoices

WINDOW_S = 10
"""Seconds per window; the model accepts no other length."""

SEGMENTATION_WINDOW = WINDOW_S * SAMPLE_RATE
LOCAL_SPEAKERS = 3
VOICES_AT_ONCE = 2
FRAMES = 589
"""Frames per window."""

SEGMENTATION_FRAME = 270
"""Samples per frame: 16.9 ms."""

FRAME_OFFSET = 496
"""Samples from the start of a window to the centre of its first frame."""


class Segmenter(Protocol):
    """Shared by all meetings; holds no state of any of them."""

    def segment(self, audio: np.ndarray) -> np.ndarray:
        """Return who speaks in float32 `audio`, shape (WINDOW,): bool, shape (FRAMES, LOCAL_SPEAKERS)."""
        ...


class PyannoteSegmenter:
    """`Segmenter` with a pyannote PyanNet checkpoint: segmentation 3.0, or that of community-1."""

    def __init__(
        self, path: Path, *, device: Device = CPU, runs_on: Device | None = None, wishes: FlagChoices | None = None
    ) -> None:
        """Load onto `device`; `runs_on` is the device that the pool moves it to. `wishes` are choices of
        `optimization.flags`.

        Raises FileNotFoundError, or ModelCorrupt if the file is not such a checkpoint.
        """
        self._execution = Execution(Component.SEGMENTATION, runs_on or device, wishes=wishes)
        network = load_network(path, "PyanNet").to(torch_device(device))
        self._classes = _powerset_classes()
        if network.dimension != len(self._classes):
            raise ModelCorrupt(f"{path} tells {network.dimension} classes apart, not {len(self._classes)}.")
        self._model = self._execution.prepare(network)

    def segment(self, audio: np.ndarray) -> np.ndarray:
        import torch

        if audio.shape != (SEGMENTATION_WINDOW,):
            raise ValueError(f"a window has {SEGMENTATION_WINDOW} samples, not {audio.shape}")
        with self._execution.step():
            waveform = torch.as_tensor(audio, dtype=torch.float32, device=self._execution.torch_device)
            scores = self._model(waveform[None, None])[0]
        return self._classes[scores.argmax(dim=-1).cpu().numpy()]


def _powerset_classes() -> np.ndarray:
    """Return the speakers of each class: bool, shape (7, LOCAL_SPEAKERS); first silence, then one speaker, then two."""
    sets = [one for size in range(VOICES_AT_ONCE + 1) for one in combinations(range(LOCAL_SPEAKERS), size)]
    return np.array([[voice in one for voice in range(LOCAL_SPEAKERS)] for one in sets])
