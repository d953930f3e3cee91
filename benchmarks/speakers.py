"""Speakers: diarization error while a meeting runs, at its end, and of a recording; and what each costs.

pyannote.metrics, no collar, overlap scored, totals over the corpus (never the mean of the files' rates). `live` is what
was first said about each moment, two seconds after it on average; `revised` what was last said about it while the
meeting ran; `concluded` what the voices heard live tell when it has ended; `recording` the pass over a whole file.
Speech of which it cannot be said whose it is counts as missed. Recordings are cut after three minutes. Cost is
processor time of one thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from django.conf import settings

from benchmarks.report import REPOSITORY
from inference.audio import SAMPLE_RATE, decode_file
from inference.catalog import find_model
from inference.diarization.recording import diarize_recording
from inference.diarization.tracker import SpeakerTracker, cut_turns
from inference.diarization.turns import SpeakerTurn, SpeakerTurns
from inference.diarization.voices import VoiceListener, load_listener
from inference.fetching import ensure_model

if TYPE_CHECKING:
    from pyannote.core import Annotation
    from pyannote.metrics.diarization import DiarizationErrorRate

Result = TypeVar("Result")

AUDIO = REPOSITORY.parent / "shared" / "audio"
FOLDERS = ("ami", "conv", "sim", "long")
LIMIT_S = 180
KINDS = ("live", "revised", "concluded", "recording")


def run(*, audio: Path = AUDIO, quick: bool = False) -> dict[str, Any]:
    """Scores all recordings in the folder `audio` that have an RTTM beside them; `quick`: the first two."""
    from pyannote.metrics.diarization import DiarizationErrorRate

    listener = load_listener(ensure_model(find_model("segmentation-campplus"), settings.ENVIRONMENT.models))
    paths = [path for folder in FOLDERS for path in sorted((audio / folder).glob("*.flac"))]
    metrics = {kind: DiarizationErrorRate(collar=0.0, skip_overlap=False) for kind in KINDS}
    figures = {path.stem: measure(path, listener, metrics) for path in (paths[:2] if quick else paths)}
    return {**figures, "all": {kind: _rates(metric[:]) for kind, metric in metrics.items()}}


def measure(path: Path, listener: VoiceListener, metrics: dict[str, DiarizationErrorRate]) -> dict[str, Any]:
    """One recording; its errors are added to `metrics`."""
    samples = np.concatenate(list(decode_file(path)))[: LIMIT_S * SAMPLE_RATE]
    seconds = len(samples) / SAMPLE_RATE
    hypotheses, live_s = timed(lambda: follow(samples, listener))
    hypotheses["recording"], recording_s = timed(lambda: list(diarize_recording([samples], listener)))
    reference = annotation(read_rttm(path.with_suffix(".rttm"), seconds))
    rates = {
        kind: _rates(metrics[kind](reference, annotation(turns), detailed=True)) for kind, turns in hypotheses.items()
    }
    return {
        "audio_s": round(seconds, 1),
        "speakers": len(reference.labels()),
        "speakers_found": {kind: len({turn.speaker for turn in turns} - {None}) for kind, turns in hypotheses.items()},
        "cpu_s_per_audio_s": {"live": round(live_s / seconds, 3), "recording": round(recording_s / seconds, 3)},
        **rates,
    }


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """What `work` returns, and its processor seconds."""
    started = time.process_time()
    return work(), time.process_time() - started


def follow(samples: np.ndarray, listener: VoiceListener) -> dict[str, list[SpeakerTurn]]:
    """The turns of a running meeting, fed second by second, and of its end."""
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
