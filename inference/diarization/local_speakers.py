"""Local speakers: who speaks when in one window, with an embedding of each speaker's solo speech."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from inference.audio import SAMPLE_RATE
from inference.diarization.embedding import CamPlusPlusEmbedder, Embedder
from inference.diarization.segmentation import (
    FRAME_OFFSET,
    FRAMES,
    SEGMENTATION_FRAME,
    SEGMENTATION_WINDOW,
    PyannoteSegmenter,
    Segmenter,
)
from inference.diarization.turns import CELL_S, spans
from inference.diarization.wespeaker import WeSpeakerEmbedder
from inference.models.device import CPU, Device
from inference.models.optimization.flags import FlagChoices

CELL = round(CELL_S * SAMPLE_RATE)
WINDOW_CELLS = SEGMENTATION_WINDOW // CELL
SHORTEST_PRINT = SAMPLE_RATE // 4
"""Minimum samples of solo speech for an embedding."""

LONGEST_PRINT = 3 * SAMPLE_RATE
"""Maximum samples in an embedding, the most recent ones; more would cost more without improving it."""

SHORTEST_STRETCH = SAMPLE_RATE
"""Minimum samples in a stretch of speech for its own embedding."""

PAUSE_FRAMES = 15
"""Frames of silence that separate stretches: a quarter of a second."""

SAME_VOICE = 0.35
"""Minimum cosine similarity for stretches of a voice to count as the same person."""

COMMUNITY_SEGMENTATION = "segmentation/pytorch_model.bin"
COMMUNITY_EMBEDDING = "embedding/pytorch_model.bin"
"""Paths of the weights in pyannote's speaker-diarization-community-1 repository."""


@dataclass(frozen=True, slots=True, eq=False)
class LocalVoice:
    """One speaker in one window."""

    active: np.ndarray
    """bool, shape (WINDOW_CELLS,)."""
    print: np.ndarray | None
    """Embedding, float32, length 1; None if there was too little solo speech."""
    clean_s: float
    """Seconds of solo speech."""


class Listener(Protocol):
    """Shared by all meetings; holds no state of any of them."""

    def listen(self, audio: np.ndarray) -> tuple[LocalVoice, ...]:
        """Return the voices in float32 `audio`, shape (WINDOW,). Depends on nothing else."""
        ...


class VoiceListener:
    """`Listener` with a segmentation model and an embedding model.

    The segmentation sometimes merges two successive speakers into one. Each stretch of a voice therefore gets its own
    embedding, and dissimilar stretches become separate voices.
    """

    def __init__(self, segmenter: Segmenter, embedder: Embedder) -> None:
        self._segmenter = segmenter
        self._embedder = embedder

    def listen(self, audio: np.ndarray) -> tuple[LocalVoice, ...]:
        if not audio.any():  # a muted microphone should cost nothing
            return ()
        frames = self._segmenter.segment(audio)
        alone = frames & (frames.sum(axis=1, keepdims=True) == 1)
        return tuple(
            voice
            for active, clean in zip(frames.T, alone.T, strict=True)
            if active.any()
            for voice in self._voices(audio, active, clean)
        )

    def _voices(self, audio: np.ndarray, active: np.ndarray, clean: np.ndarray) -> list[LocalVoice]:
        """Split a segmented voice into speakers; it is `active`, and solo in `clean`, both bool, (FRAMES,)."""
        stretches = _stretches(active)
        long = [stretch for stretch in stretches if _samples(clean & stretch) >= SHORTEST_STRETCH]
        if len(long) < 2:
            return [self._voice(audio, active, clean)]
        voices: list[LocalVoice] = []
        for stretch in (self._voice(audio, frames, clean & frames) for frames in long):
            same = next((index for index, voice in enumerate(voices) if _is_alike(voice, stretch)), None)
            if same is None:
                voices.append(stretch)
            else:
                voices[same] = _join(voices[same], stretch)
        for frames in stretches:
            if not any(frames is other for other in long):
                _give_to_nearest(voices, frames[_FRAME_OF_CELL])
        return voices

    def _voice(self, audio: np.ndarray, active: np.ndarray, clean: np.ndarray) -> LocalVoice:
        speech = audio[clean[_FRAME_OF_SAMPLE]]
        embedding = self._embedder.embed(speech[-LONGEST_PRINT:]) if len(speech) >= SHORTEST_PRINT else None
        return LocalVoice(active[_FRAME_OF_CELL], embedding, len(speech) / SAMPLE_RATE)


def _stretches(active: np.ndarray) -> list[np.ndarray]:
    """Split `active`, bool, shape (FRAMES,), at pauses of PAUSE_FRAMES."""
    edges: list[tuple[int, int]] = []
    for first, last in spans(active):
        if edges and first - edges[-1][1] < PAUSE_FRAMES:
            edges[-1] = (edges[-1][0], last)
        else:
            edges.append((first, last))
    places = np.arange(len(active))
    return [active & (places >= first) & (places < last) for first, last in edges]


def _is_alike(one: LocalVoice, other: LocalVoice) -> bool:
    assert one.print is not None
    assert other.print is not None
    return float(one.print @ other.print) >= SAME_VOICE


def _join(one: LocalVoice, other: LocalVoice) -> LocalVoice:
    assert one.print is not None
    assert other.print is not None
    total = one.clean_s * one.print + other.clean_s * other.print
    return LocalVoice(one.active | other.active, total / np.linalg.norm(total), one.clean_s + other.clean_s)


def _give_to_nearest(voices: list[LocalVoice], active: np.ndarray) -> None:
    """Assign cells too few for an embedding to the voice that is nearest in time."""
    gaps = [int(np.abs(np.flatnonzero(voice.active) - active.argmax()).min()) for voice in voices]
    nearest = int(np.argmin(gaps))
    voices[nearest] = replace(voices[nearest], active=voices[nearest].active | active)


def _samples(frames: np.ndarray) -> int:
    return int(frames.sum()) * SEGMENTATION_FRAME


def has_community(folder: Path) -> bool:
    """Return whether `folder` holds speaker-diarization-community-1, which runs on any device, others on the CPU."""
    return (folder / COMMUNITY_EMBEDDING).is_file()


def voice_files(folder: Path) -> tuple[Path, Path]:
    """Return the weight files of segmentation and embedding."""
    if has_community(folder):
        return folder / COMMUNITY_SEGMENTATION, folder / COMMUNITY_EMBEDDING
    return folder / "segmentation.bin", folder / "embedding.pt"


def load_listener(
    folder: Path, *, device: Device = CPU, runs_on: Device | None = None, wishes: FlagChoices | None = None
) -> VoiceListener:
    """Return the listener for one of the catalogue's `speakers` models in `folder`.

    Loads onto `device`; `runs_on` is the device that the pool moves it to. CAM++ and its segmentation always run on the
    CPU, where they are fast enough.

    Raises:
        FileNotFoundError: a file is missing.
        ModelCorrupt: a file holds something else.
    """
    segmentation, embedding = voice_files(folder)
    if has_community(folder):
        return VoiceListener(
            PyannoteSegmenter(segmentation, device=device, runs_on=runs_on, wishes=wishes),
            WeSpeakerEmbedder(embedding, device=device, runs_on=runs_on, wishes=wishes),
        )
    return VoiceListener(PyannoteSegmenter(segmentation, wishes=wishes), CamPlusPlusEmbedder(embedding, wishes=wishes))


def _nearest_frames(samples: np.ndarray) -> np.ndarray:
    return np.clip(np.rint((samples - FRAME_OFFSET) / SEGMENTATION_FRAME), 0, FRAMES - 1).astype(int)


_FRAME_OF_SAMPLE = _nearest_frames(np.arange(SEGMENTATION_WINDOW))
_FRAME_OF_CELL = _nearest_frames((np.arange(WINDOW_CELLS) + 0.5) * CELL)
