"""Backends: errors, time and memory of both Whisper libraries, with the same weights and recordings.

Each runs as `manage.py transcribe` in a separate process, over all recordings in sequence, captions only.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from benchmarks.captions import AUDIO
from benchmarks.children import Taken
from benchmarks.children import run as run_child
from benchmarks.scoring import word_errors, words_of
from inference.speech.backends import Backend

RECORDINGS = ("ami/ami_EN2003a_0000s.flac", "ami/ami_EN2009b_0000s.flac", "ami/ami_grp_EN2006_60s.flac")
"""Two minutes of meetings."""
QUICK = RECORDINGS[:1]


def run(*, audio: Path = AUDIO, quick: bool = False) -> dict[str, Any]:
    """Transcribe recordings of the folder `audio`; `quick` uses one of 30 s."""
    recordings = [audio / name for name in (QUICK if quick else RECORDINGS)]
    return {backend: _measured(backend, recordings) for backend in get_args(Backend)}


def _measured(backend: Backend, recordings: Sequence[Path]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        taken = _transcribe(backend, recordings, Path(folder))
        documents = [
            json.loads((Path(folder) / f"{path.stem}.json").read_text(encoding="utf-8")) for path in recordings
        ]
    audio_s = sum(document["audio_s"] for document in documents)
    compute_s = sum(document["rtf"] * document["audio_s"] for document in documents)
    return {
        "audio_s": round(audio_s, 1),
        **_errors(recordings, documents),
        "rtf": round(compute_s / audio_s, 3),
        "load_s": round(taken.seconds - compute_s, 2),
        "cpu_s_per_audio_s": round(taken.cpu_s / audio_s, 3),
        "peak_mib": round(taken.peak_mib),
        "stages_s": _stages(documents),
    }


def _transcribe(backend: Backend, recordings: Sequence[Path], folder: Path) -> Taken:
    command = [sys.executable, "manage.py", "transcribe", *map(str, recordings), "--backend", backend]
    options = ["--language", "en", "--no-speakers", "--format", "json", "-o", str(folder)]
    return run_child([*command, *options])


def _errors(recordings: Sequence[Path], documents: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return word error rates by recording and over all words."""
    said = [words_of(path.with_suffix(".txt").read_text(encoding="utf-8")) for path in recordings]
    heard = [words_of(" ".join(caption["text"] for caption in document["captions"])) for document in documents]
    errors = [word_errors(reference, words) for reference, words in zip(said, heard, strict=True)]
    rates = {
        path.stem: round(count / len(reference), 4)
        for path, count, reference in zip(recordings, errors, said, strict=True)
    }
    return {"wer": round(sum(errors) / sum(map(len, said)), 4), "wer_by_recording": rates}


def _stages(documents: Sequence[dict[str, Any]]) -> dict[str, float]:
    return {
        stage: round(sum(document["stages"][stage] for document in documents), 2) for stage in documents[0]["stages"]
    }
