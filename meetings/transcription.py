"""A recorded file, transcribed: the batch path of the command line and of uploads."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from inference.audio import SAMPLE_RATE
from inference.engine import Engine
from inference.recording import caption_recording
from inference.session import CaptionSession, SessionConfig
from inference.types import FinalCaption
from meetings.exports import Cue, cue_object, final_cue

Advance = Callable[[float], object]
"""Told how many more seconds of audio are done."""


@dataclass(frozen=True, slots=True)
class Transcription:
    """What was said in one recording, and what it took to find out."""

    cues: list[Cue]
    language: str | None
    """As given, else what was spoken most; None when nothing was said."""
    audio_s: float
    stages: dict[str, float]
    """Seconds by stage: `audio` reads the file and looks for speech, `asr` writes it down. Loading is not counted."""

    @property
    def rtf(self) -> float:
        """Real-time factor: seconds of work per second of audio."""
        return sum(self.stages.values()) / self.audio_s if self.audio_s else 0.0


def transcribe_recording(
    blocks: Iterable[np.ndarray],
    engine: Engine,
    config: SessionConfig,
    *,
    advance: Advance = lambda _: None,
) -> Transcription:
    """Captions float32 blocks at SAMPLE_RATE."""
    clock = _AudioClock(blocks, advance)
    decoding_before = engine.timings.compute_s
    started = time.perf_counter()
    events = caption_recording(clock, CaptionSession(config), engine)
    finals = [event for event in events if isinstance(event, FinalCaption)]
    elapsed = time.perf_counter() - started
    decoding = engine.timings.compute_s - decoding_before
    return Transcription(
        cues=[final_cue(seq, final) for seq, final in enumerate(finals, start=1)],
        language=config.language or _most_spoken(finals),
        audio_s=clock.samples / SAMPLE_RATE,
        stages={"audio": elapsed - decoding, "asr": decoding},
    )


def transcription_object(transcription: Transcription) -> dict[str, Any]:
    """The JSON form; nobody is told apart, translated or summed up in it yet."""
    return {
        "audio_s": round(transcription.audio_s, 3),
        "language": transcription.language,
        "rtf": round(transcription.rtf, 4),
        "stages": {stage: round(seconds, 3) for stage, seconds in transcription.stages.items()},
        "captions": [cue_object(cue) for cue in transcription.cues],
        "speakers": [],
        "summary": None,
    }


class _AudioClock:
    """Passes blocks on and counts them."""

    def __init__(self, blocks: Iterable[np.ndarray], advance: Advance) -> None:
        self._blocks = blocks
        self._advance = advance
        self.samples = 0

    def __iter__(self) -> Iterator[np.ndarray]:
        for block in self._blocks:
            yield block
            self.samples += len(block)
            self._advance(len(block) / SAMPLE_RATE)


def _most_spoken(finals: list[FinalCaption]) -> str | None:
    seconds: dict[str, float] = defaultdict(float)
    for final in finals:
        seconds[final.language] += final.end - final.start
    return max(seconds, key=seconds.__getitem__, default=None)
