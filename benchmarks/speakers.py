"""Speakers: diarization error during a meeting, at its end, and of a recording; and the cost of each.

pyannote.metrics, no collar, overlap scored, totals over the corpus (never the mean of the files' rates). `live` is the
first label of each moment, two seconds after it on average; `revised` the last label during the meeting; `concluded`
the result from the live voices at the end; `recording` the pass over a whole file. Speech of unknown speakers counts as
missed. Longer recordings are cut between two turns, after three minutes. Cost is CPU time of one thread.

`cpwer`: the captions of the recording, assigned by the turns of each kind and by the reference turns, as defined in
`attribution`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from django.conf import settings

from benchmarks.attribution import attributed_words, captioned_words, count_errors, spoken_words
from benchmarks.report import REPOSITORY
from inference.audio import SAMPLE_RATE, decode_file
from inference.diarization.local_speakers import VoiceListener, load_listener
from inference.diarization.recording import diarize_recording
from inference.diarization.tracker import SpeakerTracker, cut_turns
from inference.diarization.turns import SpeakerTurn, SpeakerTurns
from inference.models.catalog import find_model
from inference.models.fetching import ensure_model
from inference.speech.engine import Engine
from meetings.device.engines import load_engine

if TYPE_CHECKING:
    from meeteval.wer import CPErrorRate
    from pyannote.core import Annotation

Result = TypeVar("Result")

AUDIO = REPOSITORY.parent / "shared" / "audio"
FOLDERS = ("ami", "conv", "sim", "long")
LIMIT_S = 174.3
KINDS = ("live", "revised", "concluded", "recording")
PERFECT = "reference_turns"


def run(*, audio: Path = AUDIO, quick: bool = False) -> dict[str, Any]:
    """Score all recordings in the folder `audio` that have an RTTM file; `quick` uses the first two."""
    import torch

    engine, totals = load_engine(settings.ENVIRONMENT), Totals()
    listener = load_listener(ensure_model(find_model("segmentation-campplus"), settings.ENVIRONMENT.models))
    torch.set_num_threads(1)
    paths = [path for folder in FOLDERS for path in sorted((audio / folder).glob("*.flac"))]
    figures = {path.stem: measure(path, listener, engine, totals) for path in (paths[:2] if quick else paths)}
    return {**figures, "all": totals.figures()}


class Totals:
    """Errors over all recordings."""

    def __init__(self) -> None:
        from pyannote.metrics.diarization import DiarizationErrorRate

        self.diarization = {kind: DiarizationErrorRate(collar=0.0, skip_overlap=False) for kind in KINDS}
        self.words: dict[str, list[CPErrorRate]] = {kind: [] for kind in (*KINDS, PERFECT)}

    def figures(self) -> dict[str, Any]:
        rates = {kind: _rates(metric[:]) for kind, metric in self.diarization.items()}
        return {**rates, "cpwer": {kind: _percent(sum(counts[1:], counts[0])) for kind, counts in self.words.items()}}


def measure(path: Path, listener: VoiceListener, engine: Engine, totals: Totals) -> dict[str, Any]:
    """Measure one recording and add its errors to `totals`."""
    samples = np.concatenate(list(decode_file(path)))[: round(LIMIT_S * SAMPLE_RATE)]
    seconds = len(samples) / SAMPLE_RATE
    hypotheses, live_s = timed(lambda: follow(samples, listener))
    hypotheses["recording"], recording_s = timed(lambda: list(diarize_recording([samples], listener)))
    reference = read_rttm(path.with_suffix(".rttm"), seconds)
    rates = {
        kind: _rates(totals.diarization[kind](annotation(reference), annotation(turns), detailed=True))
        for kind, turns in hypotheses.items()
    }
    captions, spoken = captioned_words(samples, engine), spoken_words(path.with_suffix(".stm"), seconds)
    words = {
        kind: count_errors(spoken, attributed_words(captions, turns))
        for kind, turns in {**hypotheses, PERFECT: reference}.items()
    }
    for kind, counted in words.items():
        totals.words[kind].append(counted)
    return {
        "audio_s": round(seconds, 1),
        "speakers": len({turn.speaker for turn in reference}),
        "speakers_found": {kind: len({turn.speaker for turn in turns} - {None}) for kind, turns in hypotheses.items()},
        "cpu_s_per_audio_s": {"live": round(live_s / seconds, 3), "recording": round(recording_s / seconds, 3)},
        **rates,
        "cpwer": {kind: _percent(counted) for kind, counted in words.items()},
    }


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """Return the result of `work` and its CPU seconds."""
    started = time.process_time()
    return work(), time.process_time() - started


def follow(samples: np.ndarray, listener: VoiceListener) -> dict[str, list[SpeakerTurn]]:
    """Return the turns of a running meeting, fed second by second, and those at its end."""
    tracker = SpeakerTracker()
    first: list[SpeakerTurn] = []
    revised: list[SpeakerTurn] = []
    for start in range(0, len(samples), SAMPLE_RATE):
        tracker.feed(samples[start : start + SAMPLE_RATE])
        is_end = tracker.received == len(samples)
        while request := tracker.request(is_end=is_end):
            before = tracker.labelled_s
            told = tracker.accept(request, listener.listen(request.audio), is_end=is_end)
            if told:
                first += cut_turns(told, before).turns
                revised = [*cut_turns(SpeakerTurns(0.0, told.start, tuple(revised)), 0.0).turns, *told.turns]
    return {"live": first, "revised": revised, "concluded": list(tracker.conclude().turns)}


def read_rttm(path: Path, limit_s: float) -> list[SpeakerTurn]:
    """Return the turns of a NIST RTTM file up to `limit_s`."""
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    turns = [SpeakerTurn(float(row[3]), min(float(row[3]) + float(row[4]), limit_s), row[7]) for row in rows]
    return [turn for turn in turns if turn.end > turn.start]


def annotation(turns: Iterable[SpeakerTurn]) -> Annotation:
    """Convert to pyannote's type for its metrics, without unknown speakers."""
    from pyannote.core import Annotation, Segment

    result = Annotation()
    for index, turn in enumerate(turns):
        if turn.speaker:
            result[Segment(turn.start, turn.end), index] = turn.speaker
    return result


def _rates(components: dict[str, float]) -> dict[str, float]:
    """Return percentages of the reference speech."""
    parts: Sequence[tuple[str, str]] = (
        ("confusion", "confusion"),
        ("missed", "missed detection"),
        ("false_alarm", "false alarm"),
    )
    rates = {name: 100 * components[key] / components["total"] for name, key in parts}
    return {"der": round(sum(rates.values()), 1), **{name: round(rate, 1) for name, rate in rates.items()}}


def _percent(counted: CPErrorRate) -> float:
    return round(100 * counted.error_rate, 1)
