"""Speaker embeddings with pyannote's WeSpeaker network, part of speaker-diarization-community-1.

Wang et al. 2023, "WeSpeaker: a research and production oriented speaker embedding learning toolkit": a ResNet-34 over
80 Mel bands with statistics pooling over time.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from inference.diarization.pyannote_loader import load_network
from inference.models.device import CPU, Device
from inference.models.optimization.execution import Execution, torch_device
from inference.models.optimization.flags import Component, FlagChoices


class WeSpeakerEmbedder:
    """`Embedder` with WeSpeaker's ResNet-34: 256 dimensions."""

    def __init__(
        self, path: Path, *, device: Device = CPU, runs_on: Device | None = None, wishes: FlagChoices | None = None
    ) -> None:
        """Load onto `device`; `runs_on` is the device that the pool moves it to.

        Raises FileNotFoundError, or ModelCorrupt if the file is not such a checkpoint.
        """
        self._execution = Execution(Component.WESPEAKER, runs_on or device, wishes=wishes)
        network = load_network(path, "WeSpeakerResNet34").to(torch_device(device))
        self._model = self._execution.prepare(network)

    def embed(self, speech: np.ndarray) -> np.ndarray:
        import torch

        with self._execution.step():
            waveform = torch.as_tensor(speech, dtype=torch.float32, device=self._execution.torch_device)
            embedding: np.ndarray = self._model(waveform[None, None])[0].float().cpu().numpy()
        return embedding / np.linalg.norm(embedding)
