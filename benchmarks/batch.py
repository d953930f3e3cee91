"""Batch: real-time factor of transcribing a recording, alone and with speakers and one translation.

The recording is the speech of the tests, twice over.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings

from benchmarks.report import REPOSITORY
from inference.audio import decode_file
from inference.speech.session import SessionConfig
from meetings.batch.transcription import Models, Transcription, TranscriptionOptions, transcribe_recording
from meetings.device.diarization import load_listener
from meetings.device.engines import load_engine
from meetings.device.translation import load_translator

TIMES = 2
RUNS = 2
"""The machine is shared: the best run is the least disturbed, and the spread shows the disturbance."""


def run() -> dict[str, Any]:
    """Load once, then transcribe several times in each configuration."""
    started = time.perf_counter()
    environment = settings.ENVIRONMENT
    engine = load_engine(environment)
    everything = Models(engine, load_listener(environment), load_translator(environment))
    load_s = time.perf_counter() - started
    ways = {
        "captions": (Models(engine), TranscriptionOptions(SessionConfig("en"))),
        "captions, speakers, one translation": (everything, TranscriptionOptions(SessionConfig("en"), ("pt",))),
        "the same, language detected": (everything, TranscriptionOptions(SessionConfig(None, ("en", "pt")), ("pt",))),
    }
    return {"load_s": round(load_s, 2), **{name: _measure(*way) for name, way in ways.items()}}


def _measure(models: Models, wishes: TranscriptionOptions) -> dict[str, Any]:
    started_cpu = time.process_time()
    transcriptions = [transcribe_recording(_recording(), models, wishes) for _ in range(RUNS)]
    cpu_s = time.process_time() - started_cpu
    return _figures(transcriptions, cpu_s)


def _figures(transcriptions: Sequence[Transcription], cpu_s: float) -> dict[str, Any]:
    best = min(transcriptions, key=lambda transcription: transcription.rtf)
    return {
        "audio_s": round(best.audio_s, 2),
        "rtf": round(best.rtf, 4),
        "rtf_runs": [round(transcription.rtf, 4) for transcription in transcriptions],
        "cpu_s_per_audio_s": round(cpu_s / sum(transcription.audio_s for transcription in transcriptions), 4),
        "stages_s": {stage: round(seconds, 2) for stage, seconds in best.stages.items()},
        "captions": len(best.cues),
    }


def _recording() -> Iterator[np.ndarray]:
    for _ in range(TIMES):
        for clip in _clips():
            yield from decode_file(clip)


def _clips() -> list[Path]:
    return sorted((REPOSITORY / "tests" / "speech").glob("*.flac"))
