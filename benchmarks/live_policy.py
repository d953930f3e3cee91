"""Live policy: word latencies, errors and compute of the caption session on a virtual clock.

Session, engine and models are the real ones; only waiting is skipped. Audio arrives in 100 ms frames at real time, and
a decode advances the clock by its CPU time. Sockets and storage are not included. The recordings are those of
`captions`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings

from benchmarks.captions import AUDIO, LIMIT_S, QUICK, RECORDINGS, latencies, total_words
from benchmarks.references import Recording, load_recording
from benchmarks.scoring import Score, Screen, score
from inference.audio import SAMPLE_RATE
from inference.speech.asr import DecodeRequest, Hypothesis, StageSeconds, Transcriber
from inference.speech.endpointing import EndpointPolicy
from inference.speech.engine import Engine
from inference.speech.hypothesis import LivePolicy
from inference.speech.sealing import SealPolicy
from inference.speech.session import CaptionSession, SessionConfig
from inference.types import CaptionEvent, FinalCaption, PartialCaption
from meetings.device.asr import speech_model

FRAME = SAMPLE_RATE // 10
"""Samples that a browser sends at once."""


@dataclass(frozen=True, slots=True)
class Paced:
    """Results of one recording."""

    score: Score
    audio_s: float
    processor_s: float
    """CPU seconds of all decodes."""


class MeasuredTranscriber:
    """Wraps the real transcriber and measures this process's CPU time during decodes."""

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
    """The final and the unstable text as on a viewer's page."""

    def __init__(self) -> None:
        self._finals: dict[str, FinalCaption] = {}
        self._moving: PartialCaption | None = None

    def take(self, events: Sequence[CaptionEvent]) -> None:
        for event in events:
            if isinstance(event, PartialCaption):
                self._moving = event
            elif isinstance(event, FinalCaption):
                self._finals[event.segment] = event
                if self._moving and self._moving.start < event.end:
                    self._moving = None

    def at(self, clock: float) -> Screen:
        final = " ".join(caption.text for caption in self._finals.values())
        return Screen(clock, final, self._moving.text if self._moving else "")


def run(*, audio: Path = AUDIO, quick: bool = False) -> dict[str, Any]:
    """Measure the default policy over the recordings in `audio`, each and all; `quick` uses one clip of 30 s."""
    from faster_whisper import WhisperModel

    from inference.speech.whisper import CTranslate2Transcriber

    folder = speech_model(settings.ENVIRONMENT)
    aligner = WhisperModel(str(folder), device="cpu", compute_type="int8")
    paths = [audio / name for name in (QUICK if quick else RECORDINGS)]
    recordings = [load_recording(path, aligner, limit_s=LIMIT_S) for path in paths]
    transcriber = CTranslate2Transcriber(folder)
    transcriber.warm_up()
    each = {recording.name: play(recording, transcriber, sealing=SealPolicy()) for recording in recordings}
    return {**{name: figures([paced]) for name, paced in each.items()}, "all": figures(list(each.values()))}


def play(
    recording: Recording,
    transcriber: Transcriber,
    *,
    endpointing: EndpointPolicy | None = None,
    live: LivePolicy | None = None,
    sealing: SealPolicy | None = None,
) -> Paced:
    """Play the recording as a meeting at real time, optionally with other policies than the defaults."""
    session = CaptionSession(SessionConfig("en"), endpointing=endpointing, live=live, sealing=sealing)
    measured = MeasuredTranscriber(transcriber)
    screens = list(_screens(recording.samples, session, measured))
    return Paced(score(screens, recording.words, recording.text), recording.seconds, measured.processor_s)


def _screens(samples: np.ndarray, session: CaptionSession, transcriber: MeasuredTranscriber) -> Iterator[Screen]:
    engine, display = Engine(transcriber), Display()
    clock = 0.0
    yield display.at(clock)
    while True:
        due = min(round(clock * SAMPLE_RATE) // FRAME * FRAME, len(samples))
        session.feed(samples[session.received : due])
        if due == len(samples):
            session.flush()
        spent = transcriber.processor_s
        events = engine.step({"meeting": session}).get("meeting")
        clock += transcriber.processor_s - spent
        if events is not None:
            display.take(events)
            yield display.at(clock)
        elif due == len(samples):
            return
        else:
            clock = (due + FRAME) / SAMPLE_RATE


def figures(paced: Sequence[Paced]) -> dict[str, Any]:
    """Return the figures of the table."""
    scores = [one.score for one in paced]
    errors, words = sum(one.errors for one in scores), sum(one.reference_words for one in scores)
    audio_s = sum(one.audio_s for one in paced)
    return {
        "audio_s": round(audio_s, 1),
        **latencies(scores),
        "wer": round(errors / max(1, words), 4),
        "erasure": round(sum(one.erased for one in scores) / max(1, total_words(scores)), 3),
        "cpu_s_per_audio_s": round(sum(one.processor_s for one in paced) / audio_s, 3),
    }
