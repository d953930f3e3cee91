"""Speaker embeddings: unit vectors that are close to each other for speech of the same speaker.

They are biometric data: kept in memory, in the state of one meeting, and never stored.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from inference.audio import SAMPLE_RATE
from inference.models.loading import ModelCorrupt
from inference.models.loading.component import Form
from inference.models.loading.single_file import SingleFile
from inference.models.loading.strategy import load
from inference.models.loading.weights import assign, without_initialisation
from inference.models.optimization.execution import Execution
from inference.models.optimization.flags import Component, FlagChoices
from inference.models.torchaudio_compat import import_torchaudio

if TYPE_CHECKING:
    import torch

    from inference.diarization.campplus import CamPlusPlus


class Embedder(Protocol):
    """Shared by all meetings; holds no state of any of them."""

    def embed(self, speech: np.ndarray) -> np.ndarray:
        """Return the embedding of float32 `speech` of one speaker, shape (n,), n ≥ SAMPLE_RATE // 4.

        float32, length 1; the dot product of two embeddings is their cosine similarity.
        """
        ...


class CamPlusPlusEmbedder:
    """`Embedder` with CAM++ on the CPU: 192 dimensions, about 30 ms of one core per second of speech."""

    def __init__(self, path: Path, *, wishes: FlagChoices | None = None) -> None:
        """Raises FileNotFoundError, or ModelCorrupt if the file holds other weights."""
        import_torchaudio()
        self._features = import_module("torchaudio.compliance.kaldi").fbank
        self._execution = Execution(Component.CAMPPLUS, wishes=wishes)
        self._model = self._execution.prepare(load_network(path))

    def embed(self, speech: np.ndarray) -> np.ndarray:
        import torch

        from inference.diarization.campplus import MEL_BINS

        waveform = torch.as_tensor(speech, dtype=torch.float32)[None]
        with self._execution.step():
            # Dithering is off, so that the same audio gives the same embedding.
            features = self._features(waveform, num_mel_bins=MEL_BINS, sample_frequency=SAMPLE_RATE, dither=0.0)
            embedding = self._model((features - features.mean(dim=0))[None])[0].float().numpy()
        return embedding / np.linalg.norm(embedding)


def load_network(path: Path) -> CamPlusPlus:
    """Return CAM++ with the published weights, ready to use.

    Raises:
        FileNotFoundError: the file does not exist.
        ModelCorrupt: the file holds other weights.
    """
    network: CamPlusPlus = load(CamPlusPlusNetwork(path), Form()).network
    return network


@dataclass(frozen=True)
class CamPlusPlusNetwork(SingleFile):
    """`inference.models.loading.component.Component` of CAM++; the snapshot already has the normalization folded in."""

    path: Path

    def write_settings(self, network: CamPlusPlus, folder: Path) -> None:
        """Write a placeholder: the network has no settings."""
        (folder / "config.json").write_text('{"architecture": "CAM++"}\n', encoding="utf-8")

    def build(self, folder: Path) -> CamPlusPlus:
        from inference.diarization.campplus import CamPlusPlus, fold_normalisation

        network = without_initialisation(CamPlusPlus)
        fold_normalisation(network.eval())
        return network

    def probe(self, network: CamPlusPlus) -> torch.Tensor:
        """Return the embedding of fixed noise as two seconds of features."""
        import torch

        from inference.diarization.campplus import MEL_BINS

        noise = torch.randn((1, 200, MEL_BINS), generator=torch.Generator().manual_seed(0))
        answer: torch.Tensor = network(noise)
        return answer

    def load(self, *, is_mapped: bool) -> CamPlusPlus:
        import torch

        from inference.diarization.campplus import CamPlusPlus, fold_normalisation

        model = without_initialisation(CamPlusPlus)
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True, mmap=is_mapped)
            assign(model, state, {})
        except (pickle.UnpicklingError, RuntimeError, TypeError, AttributeError, EOFError) as error:
            raise ModelCorrupt(f"{self.path} holds no weights of CAM++: {error}") from error
        fold_normalisation(model.eval())
        return model
