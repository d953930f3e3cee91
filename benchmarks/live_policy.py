"""Live policy: word latencies, errors and compute of the caption session on a virtual clock.

The session, the engine and the models are the real ones; only waiting is left out. Audio comes in 100 ms frames at the
speed of speech, a decode moves the clock on by the processor time that it took. What sockets and storage add is not in
here. Audio: every `NAME.flac` with `NAME.txt` and word times beside it in the folders of PARLANCE_SPEECH (separated by
`:`), or else in tests/speech.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.references import Recording
from benchmarks.scoring import Score, Screen, score
from inference.asr import DecodeRequest, Hypothesis, StageSeconds
from inference.audio import SAMPLE_RATE
from inference.types import CaptionEvent, FinalCaption, PartialCaption

FRAME = SAMPLE_RATE // 10
"""Samples that a browser sends at once."""


@dataclass(slots=True)
class Paced:
    """What a run over recordings gave."""

    scores: list[Score] = field(default_factory=list)
    audio_s: float = 0.0
    processor_s: float = 0.0


class MeasuredTranscriber:
    """Passes on to the real transcriber, and counts the processor seconds of this process meanwhile."""

    def __init__(self, transcriber: Transcriber) -> None:
        self._transcriber = transcriber
        self.processor_s = 0.0

    @property
    def stages(self) -> StageSeconds:
        return self._transcriber.stages

    def transcribe(self, requests: Sequence[DecodeRequest]) -> list[Hypothesis]:
        started = time.process_time()
        hypotheses = self._transcriber.transcribe(requests)
        spent = time.process_time() - started
        self.processor_s += spent
        return [replace(hypothesis, seconds=spent / len(requests)) for hypothesis in hypotheses]


class Display:
    """The final and the moving text, as a viewer's page has them."""

    def __init__(self) -> None:
        self._finals: list[str] = []
        self._moving: PartialCaption | None = None

    def take(self, events: Sequence[CaptionEvent]) -> None:
        for event in events:
            if isinstance(event, PartialCaption):
                self._moving = event
            elif isinstance(event, FinalCaption):
                self._finals.append(event.text)
                if self._moving and self._moving.segment <= event.segment:
                    self._moving = None

    def at(self, clock: float) -> Screen:
        return Screen(clock, " ".join(self._finals), self._moving.text if self._moving else "")


def run() -> dict[str, Any]:
    """The shipped policy over the recordings, each and all."""
    transcriber = load_transcriber()
    recordings = list(load_recordings())
    each = {recording.name: figures(play([recording], transcriber)) for recording in recordings}
    return {**each, "all": figures(play(recordings, transcriber))}


def play(recordings: Sequence[Recording], transcriber: Transcriber) -> Paced:
    """Plays every recording as a meeting of its own."""
    paced = Paced()
    for recording in recordings:
        measured = MeasuredTranscriber(transcriber)
        screens = play_one(recording.samples, measured)
        paced.scores.append(score(screens, recording.words, recording.text))
        paced.audio_s += recording.seconds
        paced.processor_s += measured.processor_s
    return paced
