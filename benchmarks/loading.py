"""Loading: seconds and memory of each loading strategy, and from start to first caption, in new processes.

Libraries are imported before the clock starts, and files are in the page cache, so the measurement excludes the disk.
Peak is the process's maximum during the load, minus its memory before. Memory is what it holds afterwards; own memory
is the part that is not mapped from a file. A start is measured from before the interpreter's start to the text of six
seconds of speech, and compared to CTranslate2, which has a single strategy.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings

from benchmarks.report import REPOSITORY
from inference.audio import SAMPLE_RATE, decode_file
from inference.components import model_components
from inference.models.catalog import find_model
from inference.models.device import CPU
from inference.models.loading import check_sizes
from inference.models.loading.component import Component, Form
from inference.models.loading.snapshot import snapshot_folder, write_snapshot
from inference.models.loading.strategy import STRATEGIES, Strategy, load
from inference.models.residency.memory import release_memory
from inference.speech.asr import DecodeRequest
from inference.speech.backends import Recognizer

RUNS = {"qwen2.5-coder-0.5b": 1, "whisper-base": 2, "segmentation-campplus": 2}
"""Processes per strategy, by model; the first model's network has two and a half gigabytes."""
QUICK = {"segmentation-campplus": 1, "whisper-base": 1}
SPEECH = "whisper-base"
CLIP = REPOSITORY / "tests" / "speech" / "lobster_24s.flac"
CLIP_S = 6
KIBIBYTES = 1024
"""Kibibytes per MiB."""


def run(*, quick: bool = False) -> dict[str, Any]:
    """Return the minimum of two processes for each figure; `quick` runs one and skips the summarizer.

    Each finished model is printed to standard error.
    """
    figures: dict[str, Any] = {}
    for name, runs in (QUICK if quick else RUNS).items():
        with tempfile.TemporaryDirectory(dir=settings.ENVIRONMENT.models) as temporary:
            folder = _copied(name, Path(temporary) / name)
            ways = {way: [_in_new_process("load", folder, way) for _ in range(runs)] for way in STRATEGIES}
            figures[name] = {way: _least(found) for way, found in ways.items()}
            if name == SPEECH:
                figures["first_caption"] = _first_captions(folder, runs)
        print(json.dumps({name: figures[name]}), file=sys.stderr)
    return figures


def _copied(name: str, folder: Path) -> Path:
    """Link the model's files into a folder of this run, and write snapshots there."""
    model = find_model(name)
    source = check_sizes(model, settings.ENVIRONMENT.models)
    folder.mkdir()
    for file in model.files:
        (folder / file.name).symlink_to(source / file.name)
    if (source / "unpacked").is_dir():
        (folder / "unpacked").symlink_to(source / "unpacked")
    for component in model_components(model, folder):
        write_snapshot(component, Form())
    return folder


def _first_captions(folder: Path, runs: int) -> dict[str, Any]:
    ways = ("ctranslate2", *STRATEGIES)
    return {way: _least([_in_new_process("caption", folder, way) for _ in range(runs)]) for way in ways}


def _least(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the minimum of each figure: the machine is shared, so the fastest run is the least disturbed."""
    return {name: round(min(run[name] for run in runs), 3) for name in runs[0]}


def _in_new_process(what: str, folder: Path, way: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.loading", what, str(folder), way, str(time.time())]
    output = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True).stdout
    figures: dict[str, float] = json.loads(output.splitlines()[-1])
    return figures


def measure_load(folder: Path, way: Strategy) -> dict[str, float]:
    """Load all networks of the model. Runs in the new process."""
    components = model_components(find_model(folder.name), folder)
    for component in components:
        _import(component)
    before = _reset_memory()
    loaded = [load(component, Form(), [way]) for component in components]
    after = _memory()
    return {
        "seconds": sum(one.seconds for one in loaded),
        "peak_mib": (after["VmHWM"] - before["VmRSS"]) / KIBIBYTES,
        "memory_mib": (after["VmRSS"] - before["VmRSS"]) / KIBIBYTES,
        "own_memory_mib": (after["RssAnon"] - before["RssAnon"]) / KIBIBYTES,
    }


def measure_caption(folder: Path, way: str, started: float) -> dict[str, float]:
    """Measure from `started` (`time.time()`) to the first text. Runs in the new process."""
    recognizer = _recognizer(folder, way)
    loaded_s = time.time() - started
    samples = next(decode_file(CLIP, block=CLIP_S * SAMPLE_RATE))
    (heard,) = recognizer.transcribe([DecodeRequest(kind="live", start=0, audio=samples, language="en")])
    assert heard.text
    return {
        "loaded_s": loaded_s,
        "first_caption_s": time.time() - started,
        "peak_mib": _memory()["VmHWM"] / KIBIBYTES,
    }


def _recognizer(folder: Path, way: str) -> Recognizer:
    if way == "ctranslate2":
        from inference.speech.whisper import CTranslate2Transcriber

        return CTranslate2Transcriber(folder)
    from inference.speech.whisper_transformers import TransformersTranscriber

    return TransformersTranscriber(folder, strategies=[one for one in STRATEGIES if one == way])


def _import(component: Component) -> None:
    """Import everything that a load needs, by building such a network without weights."""
    component.build(snapshot_folder(component, Form()))


def _reset_memory() -> dict[str, int]:
    """Reset the process's peak memory, after freeing what the imports left."""
    release_memory(CPU)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _memory()


def _memory() -> dict[str, int]:
    """Return Linux's memory counters in KiB."""
    rows = (line.split() for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines())
    return {row[0].rstrip(":"): int(row[1]) for row in rows if row[0] in ("VmRSS:", "VmHWM:", "RssAnon:")}


def main(what: str, folder: str, way: str, started: str) -> None:
    """Print the figures of one process."""
    if what == "caption":
        figures = measure_caption(Path(folder), way, float(started))
    else:
        figures = measure_load(Path(folder), next(one for one in STRATEGIES if one == way))
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
