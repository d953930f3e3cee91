"""Voice prints with pyannote's WeSpeaker network, which comes with speaker-diarization-community-1.

Wang et al. 2023, "WeSpeaker: a research and production oriented speaker embedding learning toolkit": a ResNet-34 over
80 Mel bands whose statistics over time are pooled.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from inference.device import CPU, Device
from inference.diarization.checkpoint import load_network


class WeSpeakerEmbedder:
    """`Embedder` with WeSpeaker's ResNet-34: 256 numbers."""

    def __init__(self, path: Path, *, device: Device = CPU) -> None:
        """Raises FileNotFoundError, or ModelCorrupt when the file is no such checkpoint."""
        self._device = f"{device.kind}:{device.index}"
        self._model = load_network(path, "WeSpeakerResNet34").to(self._device)

    def embed(self, speech: np.ndarray) -> np.ndarray:
        import torch

        with torch.inference_mode():
            waveform = torch.as_tensor(speech, dtype=torch.float32, device=self._device)
            embedding: np.ndarray = self._model(waveform[None, None])[0].cpu().numpy()
        return embedding / np.linalg.norm(embedding)
