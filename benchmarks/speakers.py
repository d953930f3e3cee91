"""Speakers: diarization error of the live labels and of the pass over the recording, and what they cost.

pyannote.metrics, no collar, overlap scored, totals over the corpus (never the mean of the files' rates). `live` is what
was first said about each moment, two seconds after it; `revised` what was last said about it while the recording ran;
`recording` the pass over the whole. Speech of which it cannot be said whose it is counts as missed. Recordings are cut
after three minutes. Cost is processor time of one thread.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from django.conf import settings

from benchmarks.report import REPOSITORY
from inference.audio import SAMPLE_RATE, decode_file
from inference.catalog import find_model
from inference.diarization.clustering import SpeakerHint
from inference.diarization.recording import place_turns
from inference.diarization.tracker import SpeakerTracker, cut_turns
from inference.diarization.turns import SpeakerTurn, SpeakerTurns
from inference.diarization.voices import VoiceListener, load_listener
from inference.fetching import ensure_model

if TYPE_CHECKING:
    from pyannote.core import Annotation
    from pyannote.metrics.diarization import DiarizationErrorRate

AUDIO = REPOSITORY.parent / "shared" / "audio"
FOLDERS = ("ami", "conv", "sim", "long")
LIMIT_S = 180
KINDS = ("live", "revised", "recording")


def run(*, audio: Path = AUDIO, quick: bool = False) -> dict[str, Any]:
    """Scores all recordings in the folder `audio` that have an RTTM beside them; `quick`: the first two."""
    from pyannote.metrics.diarization import DiarizationErrorRate

    listener = load_listener(ensure_model(find_model("segmentation-campplus"), settings.ENVIRONMENT.models))
    paths = [path for folder in FOLDERS for path in sorted((audio / folder).glob("*.flac"))]
    metrics = {kind: DiarizationErrorRate(collar=0.0, skip_overlap=False) for kind in KINDS}
    figures = {path.stem: measure(path, listener, metrics) for path in (paths[:2] if quick else paths)}
    return {**figures, "all": {kind: _rates(metric[:]) for kind, metric in metrics.items()}}


def measure(path: Path, listener: VoiceListener, metrics: dict[str, DiarizationErrorRate]) -> dict[str, Any]:
    """One recording, listened to once; its errors are added to `metrics`."""
    samples = np.concatenate(list(decode_file(path)))[: LIMIT_S * SAMPLE_RATE]
    seconds = len(samples) / SAMPLE_RATE
    started = time.process_time()
    hypotheses = diarize(samples, listener)
    spent = time.process_time() - started
    reference = annotation(read_rttm(path.with_suffix(".rttm"), seconds))
    rates = {
        kind: _rates(metrics[kind](reference, annotation(turns), detailed=True)) for kind, turns in hypotheses.items()
    }
    found = {kind: len({turn.speaker for turn in turns} - {None}) for kind, turns in hypotheses.items()}
    return {
        "audio_s": round(seconds, 1),
        "speakers": len(reference.labels()),
        "speakers_found": found,
        "cpu_s_per_audio_s": round(spent / seconds, 3),
        **rates,
    }


def diarize(samples: np.ndarray, listener: VoiceListener) -> dict[str, list[SpeakerTurn]]:
    """The turns of each of KINDS. All see the same windows, so these are listened to once."""
    tracker, heard = SpeakerTracker(), []
    first: list[SpeakerTurn] = []
    revised: list[SpeakerTurn] = []
    tracker.feed(samples)
    while request := tracker.request(is_end=True):
        heard.append(listener.listen(request.audio))
        before = tracker.labelled_s
        told = tracker.accept(request, heard[-1], is_end=request.end >= len(samples))
        if told:
            first += cut_turns(told, before).turns
            revised = [*cut_turns(SpeakerTurns(0.0, told.start, tuple(revised)), 0.0).turns, *told.turns]
    return {"live": first, "revised": revised, "recording": list(place_turns(heard, len(samples), SpeakerHint()))}


def read_rttm(path: Path, limit_s: float) -> list[SpeakerTurn]:
    """Turns of a NIST RTTM file up to `limit_s`."""
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    turns = [SpeakerTurn(float(row[3]), min(float(row[3]) + float(row[4]), limit_s), row[7]) for row in rows]
    return [turn for turn in turns if turn.end > turn.start]


def annotation(turns: Iterable[SpeakerTurn]) -> Annotation:
    """For pyannote's metrics, without what is unsure."""
    from pyannote.core import Annotation, Segment

    result = Annotation()
    for index, turn in enumerate(turns):
        if turn.speaker:
            result[Segment(turn.start, turn.end), index] = turn.speaker
    return result


def _rates(components: dict[str, float]) -> dict[str, float]:
    """Percent of the reference speech."""
    parts: Sequence[tuple[str, str]] = (
        ("confusion", "confusion"),
        ("missed", "missed detection"),
        ("false_alarm", "false alarm"),
    )
    rates = {name: 100 * components[key] / components["total"] for name, key in parts}
    return {"der": round(sum(rates.values()), 1), **{name: round(rate, 1) for name, rate in rates.items()}}
