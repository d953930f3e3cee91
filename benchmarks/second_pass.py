"""Second pass: word errors and real-time factors of the first and the second reading of recordings.

Plain faster-whisper stands beside them: the same weights over the whole file (sequential, beam 5), in the same run on
the same number of threads.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from django.conf import settings

from benchmarks.references import read_turns
from benchmarks.report import REPOSITORY
from benchmarks.scoring import word_errors, words_of
from inference.audio import SAMPLE_RATE, decode_file
from inference.speech.session import SessionConfig
from meetings.batch.transcription import Models, TranscriptionOptions, transcribe_recording
from meetings.device.asr import speech_model
from meetings.device.engines import load_engine

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

AUDIO = REPOSITORY.parent / "shared" / "audio"
RECORDINGS = (
    "sim/sim_2spk.flac",
    "ami/ami_grp_EN2001_120s.flac",
    "ami/ami_grp_EN2006_60s.flac",
    "ami/ami_EN2003a_0000s.flac",
    "ami/ami_EN2004a_0000s.flac",
    "ami/ami_EN2005a_0000s.flac",
    "ami/ami_EN2009b_0000s.flac",
    "conv/pyannote_sample.flac",
    "long/long_tc100_10min.flac",
)
OURS = REPOSITORY / "tests" / "speech"
LONGEST_S = 240.0
THREADS = 2


@dataclass(slots=True)
class _Tally:
    """What one way to read gave, over all recordings."""

    errors: int = 0
    seconds: float = 0.0
    by_recording: dict[str, int] = field(default_factory=dict)


def run(*, audio: Path = AUDIO, quick: bool = False) -> dict[str, Any]:
    """Read each recording three times; `quick` reads the clips of the repository alone."""
    from faster_whisper import WhisperModel

    model = WhisperModel(
        str(speech_model(settings.ENVIRONMENT)), device="cpu", compute_type="int8", cpu_threads=THREADS
    )
    models = Models(load_engine(settings.ENVIRONMENT))
    ways: dict[str, Callable[[np.ndarray], str]] = {
        "plain": partial(_plain, model),
        "first text": partial(_transcribed, models, is_read_again=False),
        "second pass": partial(_transcribed, models, is_read_again=True),
    }
    tallies = {way: _Tally() for way in ways}
    words, seconds = 0, 0.0
    for path in [*([] if quick else [audio / name for name in RECORDINGS]), *sorted(OURS.glob("lobster*.flac"))]:
        samples, reference = _recording(path)
        words, seconds = words + len(reference), seconds + len(samples) / SAMPLE_RATE
        for way, read in ways.items():
            _add(tallies[way], path.stem, reference, samples, read)
    return {"audio_s": round(seconds, 1), "words": words} | {
        way: {
            "errors": tally.errors,
            "error_rate": round(tally.errors / words, 4),
            "errors_to_plain": round(tally.errors / tallies["plain"].errors, 3),
            "rtf": round(tally.seconds / seconds, 3),
            "by_recording": tally.by_recording,
        }
        for way, tally in tallies.items()
    }


def _add(
    tally: _Tally, name: str, reference: list[str], samples: np.ndarray, read: Callable[[np.ndarray], str]
) -> None:
    started = time.perf_counter()
    text = read(samples)
    tally.seconds += time.perf_counter() - started
    tally.by_recording[name] = word_errors(reference, words_of(text))
    tally.errors += tally.by_recording[name]


def _plain(model: WhisperModel, samples: np.ndarray) -> str:
    segments, _ = model.transcribe(samples, language="en", beam_size=5)
    return " ".join(segment.text for segment in segments)


def _transcribed(models: Models, samples: np.ndarray, *, is_read_again: bool) -> str:
    again = partial(_blocks, samples) if is_read_again else None
    transcription = transcribe_recording(
        _blocks(samples), models, TranscriptionOptions(SessionConfig("en")), again=again
    )
    return " ".join(cue.text for cue in transcription.cues)


def _blocks(samples: np.ndarray) -> Iterable[np.ndarray]:
    return (samples[start : start + SAMPLE_RATE] for start in range(0, len(samples), SAMPLE_RATE))


def _recording(path: Path) -> tuple[np.ndarray, list[str]]:
    """Return the samples and the words; a longer recording is cut after the last turn that ends before LONGEST_S."""
    samples = np.concatenate(list(decode_file(path)))
    if len(samples) <= LONGEST_S * SAMPLE_RATE:
        return samples, words_of(path.with_suffix(".txt").read_text(encoding="utf-8"))
    turns = [turn for turn in read_turns(path.with_suffix(".stm")) if turn.end <= LONGEST_S]
    return samples[: int((turns[-1].end + 0.5) * SAMPLE_RATE)], words_of(" ".join(turn.text for turn in turns))
