"""Local voices: who speaks when in one window, and what each voice sounds like where it speaks alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from inference.audio import SAMPLE_RATE
from inference.diarization.embedding import CamPlusPlusEmbedder, Embedder
from inference.diarization.segmentation import FRAME, FRAME_OFFSET, FRAMES, WINDOW, PyannoteSegmenter, Segmenter
from inference.diarization.turns import CELL_S, spans
from inference.diarization.wespeaker import WeSpeakerEmbedder
from inference.models.device import CPU, Device
from inference.models.optimization.flags import FlagChoices

CELL = round(CELL_S * SAMPLE_RATE)
WINDOW_CELLS = WINDOW // CELL
SHORTEST_PRINT = SAMPLE_RATE // 4
"""Samples that a voice must speak alone for a print."""

LONGEST_PRINT = 3 * SAMPLE_RATE
"""Samples that are printed at most, the newest: more cost more and tell no more."""

SHORTEST_STRETCH = SAMPLE_RATE
"""Samples that a stretch of a voice must hold for a print of its own."""

PAUSE_FRAMES = 15
"""Frames of silence that divide stretches: a quarter of a second."""

ALIKE = 0.35
"""Cosine similarity from which on stretches of a voice are the same person."""

COMMUNITY_SEGMENTATION = "segmentation/pytorch_model.bin"
COMMUNITY_EMBEDDING = "embedding/pytorch_model.bin"
"""Where the weights lie in the repository of pyannote's speaker-diarization-community-1."""


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
    """`Listener` on a segmentation model and a voice print model.

    The segmentation sometimes takes two voices after each other for one. So a voice is printed stretch by stretch, and
    stretches that are unlike are different voices.
    """

    def __init__(self, segmenter: Segmenter, embedder: Embedder) -> None:
        self._segmenter = segmenter
        self._embedder = embedder

    def listen(self, audio: np.ndarray) -> tuple[LocalVoice, ...]:
        if not audio.any():  # a microphone that is muted should cost nothing
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
        """The voices that the segmentation took for one, which is `active` and alone in `clean`, bool, (FRAMES,)."""
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
    """`active`, bool, shape (FRAMES,), divided at pauses of PAUSE_FRAMES."""
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
    return float(one.print @ other.print) >= ALIKE


def _join(one: LocalVoice, other: LocalVoice) -> LocalVoice:
    assert one.print is not None
    assert other.print is not None
    total = one.clean_s * one.print + other.clean_s * other.print
    return LocalVoice(one.active | other.active, total / np.linalg.norm(total), one.clean_s + other.clean_s)


def _give_to_nearest(voices: list[LocalVoice], active: np.ndarray) -> None:
    """Adds cells too few for a print of their own to the voice that speaks nearest to them."""
    gaps = [int(np.abs(np.flatnonzero(voice.active) - active.argmax()).min()) for voice in voices]
    nearest = int(np.argmin(gaps))
    voices[nearest] = replace(voices[nearest], active=voices[nearest].active | active)


def _samples(frames: np.ndarray) -> int:
    return int(frames.sum()) * FRAME


def has_community(folder: Path) -> bool:
    """Whether `folder` holds speaker-diarization-community-1, which runs on any device; others run on the CPU."""
    return (folder / COMMUNITY_EMBEDDING).is_file()


def voice_files(folder: Path) -> tuple[Path, Path]:
    """Weights of the segmentation and of the voice prints."""
    if has_community(folder):
        return folder / COMMUNITY_SEGMENTATION, folder / COMMUNITY_EMBEDDING
    return folder / "segmentation.bin", folder / "embedding.pt"


def load_listener(
    folder: Path, *, device: Device = CPU, runs_on: Device | None = None, wishes: FlagChoices | None = None
) -> VoiceListener:
    """The listener with the weights of one of the catalogue's `speakers` models, which lie in `folder`.

    Loads onto `device`; `runs_on` is where somebody else moves it to. CAM++ and the segmentation beside it always run
    on the CPU, where they are quick enough.

    Raises:
        FileNotFoundError: a file is not there.
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
    return np.clip(np.rint((samples - FRAME_OFFSET) / FRAME), 0, FRAMES - 1).astype(int)


_FRAME_OF_SAMPLE = _nearest_frames(np.arange(WINDOW))
_FRAME_OF_CELL = _nearest_frames((np.arange(WINDOW_CELLS) + 0.5) * CELL)
