"""Local voices: who speaks when in one window, and what each voice sounds like where it speaks alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from inference.audio import SAMPLE_RATE
from inference.diarization.embedding import CamPlusPlusEmbedder, Embedder
from inference.diarization.segmentation import FRAME, FRAME_OFFSET, FRAMES, WINDOW, PyannoteSegmenter, Segmenter
from inference.diarization.turns import CELL_S

CELL = round(CELL_S * SAMPLE_RATE)
WINDOW_CELLS = WINDOW // CELL
STEP = SAMPLE_RATE
"""Samples from one window to the next: 1 s."""

STEP_CELLS = STEP // CELL
SHORTEST_PRINT = SAMPLE_RATE // 4
"""Samples that a voice must speak alone for a print."""


@dataclass(frozen=True, slots=True, eq=False)
class LocalVoice:
    """One voice in one window."""

    active: np.ndarray
    """bool, shape (WINDOW_CELLS,)."""
    print: np.ndarray | None
    """float32, of length 1; None when the voice was hardly alone."""
    clean_s: float
    """Seconds that it spoke alone."""


class Listener(Protocol):
    """Shared by all meetings: holds no state of any of them."""

    def listen(self, audio: np.ndarray) -> tuple[LocalVoice, ...]:
        """The voices in float32 `audio`, shape (WINDOW,); depends on nothing else."""
        ...


class VoiceListener:
    """`Listener` on a segmentation model and a voice print model."""

    def __init__(self, segmenter: Segmenter, embedder: Embedder) -> None:
        self._segmenter = segmenter
        self._embedder = embedder

    def listen(self, audio: np.ndarray) -> tuple[LocalVoice, ...]:
        frames = self._segmenter.segment(audio)
        alone = frames & (frames.sum(axis=1, keepdims=True) == 1)
        return tuple(
            self._voice(audio, frames[:, voice], alone[:, voice])
            for voice in range(frames.shape[1])
            if frames[:, voice].any()
        )

    def _voice(self, audio: np.ndarray, active: np.ndarray, alone: np.ndarray) -> LocalVoice:
        speech = audio[alone[_FRAME_OF_SAMPLE]]
        embedding = self._embedder.embed(speech) if len(speech) >= SHORTEST_PRINT else None
        return LocalVoice(active[_FRAME_OF_CELL], embedding, len(speech) / SAMPLE_RATE)


def load_listener(folder: Path) -> VoiceListener:
    """The listener with the weights of the catalogue's `speakers` model, which lie in `folder`.

    Raises:
        FileNotFoundError: a file is not there.
        ModelCorrupt: a file holds something else.
    """
    return VoiceListener(PyannoteSegmenter(folder / "segmentation.bin"), CamPlusPlusEmbedder(folder / "embedding.pt"))


def _nearest_frames(samples: np.ndarray) -> np.ndarray:
    return np.clip(np.rint((samples - FRAME_OFFSET) / FRAME), 0, FRAMES - 1).astype(int)


_FRAME_OF_SAMPLE = _nearest_frames(np.arange(WINDOW))
_FRAME_OF_CELL = _nearest_frames((np.arange(WINDOW_CELLS) + 0.5) * CELL)
