"""Run `manage.py transcribe` in separate processes, with default settings and with every optimization off."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.children import run
from benchmarks.report import REPOSITORY
from inference.models.optimization.flags import FLAGS

CLIP = REPOSITORY / "tests" / "speech" / "lobster_24s.flac"
RUNS = 2
OFF = {flag.variable: flag.off for flag in FLAGS}


def compare_pipelines() -> dict[str, Any]:
    """Transcribe one clip with speakers and a translation, alternating; return the best run of each setting."""
    ways: dict[str, dict[str, str]] = {"as it comes": {}, "everything off": OFF}
    runs: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
    for _ in range(RUNS):
        for way, variables in ways.items():
            runs[way].append(_transcribe(variables))
    figures = {way: _best(found) for way, found in runs.items()}
    texts = {run["texts"] for found in runs.values() for run in found}
    return {"clip": CLIP.name, "runs": RUNS, "same_captions_speakers_and_translations": len(texts) == 1, **figures}


def _best(runs: list[dict[str, Any]]) -> dict[str, Any]:
    best = min(runs, key=lambda run: run["cpu_s"])
    return {name: value for name, value in best.items() if name != "texts"}


def _transcribe(variables: dict[str, str]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "transcript.json"
        command = [sys.executable, str(REPOSITORY / "manage.py"), "transcribe", str(CLIP)]
        command += ["--language", "en", "--translate", "pt", "-o", str(output)]
        taken = run(command, variables)
        transcript = json.loads(output.read_text(encoding="utf-8"))
    return {
        "seconds": round(taken.seconds, 2),
        "cpu_s": round(taken.cpu_s, 2),
        "peak_mib": round(taken.peak_mib),
        "rtf": transcript["rtf"],
        "texts": json.dumps(transcript["captions"], sort_keys=True),
    }
