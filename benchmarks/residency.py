"""Residency: swap seconds in each direction on the CPU, step by step, and memory over 50 cycles.

The caption models are real (Whisper base, segmentation and embeddings, starter translation). The summarizer has the
architecture of SmolLM2-135M and random weights in float32, 0.5 GiB. The pool is told to swap, so the weights are really
moved. For comparison, the same cycles run with all models in memory, and the summarizer is loaded from its files.
"""

from __future__ import annotations

import gc
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
from django.conf import settings

from benchmarks.report import REPOSITORY
from benchmarks.swapping import spread, time_cycles
from inference.audio import SAMPLE_RATE, decode_file
from inference.diarization.local_speakers import load_listener
from inference.models.catalog import find_model
from inference.models.device import CPU
from inference.models.fetching import ensure_model
from inference.models.residency.ctranslate2_model import CTranslate2Resident
from inference.models.residency.memory import DeviceMemory, release_memory
from inference.models.residency.plan import Group, ModelNeed, ModelSize, PlanChoice
from inference.models.residency.pool import ModelPool
from inference.models.residency.resident import HostOnlyResident
from inference.models.residency.sizes import planned_bytes
from inference.models.residency.torch_module import TorchResident
from inference.models.residency.transfers import Member
from inference.models.torchaudio_compat import import_transformers
from inference.speech.asr import DecodeRequest
from inference.speech.whisper import CTranslate2Transcriber
from inference.translation.bergamot import BergamotTranslator, installed_folders
from inference.translation.translator import TranslationRequest

if TYPE_CHECKING:
    from inference.diarization.local_speakers import VoiceListener

CLIP = REPOSITORY / "tests" / "speech" / "lobster_24s.flac"
CYCLES = 50
QUICK = 5
RELOADS = 5
MIB = 2**20
SMOLLM2_135M = {
    "vocab_size": 49_152,
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "tie_word_embeddings": True,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
"""config.json of HuggingFaceTB/SmolLM2-135M-Instruct."""


def run(*, quick: bool = False) -> dict[str, Any]:
    """Run on one torch thread, like the worker; `quick` runs five cycles."""
    import torch

    torch.set_num_threads(1)
    cycles = QUICK if quick else CYCLES
    with tempfile.TemporaryDirectory(dir=REPOSITORY) as folder:
        return {
            "swap": _cycle(Path(folder), "swap", cycles),
            "all_in_memory": _cycle(Path(folder), "auto", QUICK),
            "summariser_from_its_files_s": _reload(Path(folder)),
        }


def _cycle(folder: Path, choice: PlanChoice, cycles: int) -> dict[str, Any]:
    pool = make_pool(folder, choice)
    started = time.perf_counter()
    pool.start()
    start_s = time.perf_counter() - started
    figures = time_cycles(pool, cycles, _resident_bytes)
    return {"start_s": round(start_s, 2), **figures}


def make_pool(folder: Path, choice: PlanChoice) -> ModelPool:
    """Return a pool with the product's models and a summarizer; copies go to `folder`."""
    models = settings.ENVIRONMENT.models
    whisper, voices = (ensure_model(find_model(name), models) for name in ("whisper-base", "segmentation-campplus"))
    clip = np.concatenate(list(decode_file(CLIP)))
    sizes = {"asr": 160 * MIB, "voices": 40 * MIB, "summary": planned_bytes(_config(), bits=32)}
    residents = {
        "asr": CTranslate2Resident(lambda: CTranslate2Transcriber(whisper), warm_up=lambda model: _hear(model, clip)),
        "voices": TorchResident(
            lambda: load_listener(voices), folder=folder, warm_up=lambda model: _listen(model, clip)
        ),
        "summary": TorchResident(_load_summarizer, folder=folder, warm_up=_write),
    }
    groups = {"asr": Group.TRANSCRIPTION, "voices": Group.TRANSCRIPTION, "summary": Group.SUMMARIZATION}
    members = [
        Member(name, ModelNeed(name, groups[name], ModelSize(sizes[name], 40 * MIB)), resident)
        for name, resident in residents.items()
    ]
    translation = HostOnlyResident(lambda: BergamotTranslator(installed_folders()), warm_up=_translate)
    members.append(Member("translation", ModelNeed("translation", Group.ALWAYS, ModelSize(80 * MIB)), translation))
    return ModelPool(members, DeviceMemory(CPU, 2048 * MIB), choice=choice)


def _load_summarizer() -> Any:
    import torch

    torch.manual_seed(1)
    return import_transformers().AutoModelForCausalLM.from_config(_config(), dtype=torch.float32).eval()


def _config() -> Any:
    return import_transformers().LlamaConfig(**SMOLLM2_135M)


def _hear(transcriber: CTranslate2Transcriber, clip: np.ndarray) -> str:
    audio = clip[round(10.3 * SAMPLE_RATE) : round(14.9 * SAMPLE_RATE)]
    return transcriber.transcribe([DecodeRequest(kind="live", start=0, audio=audio, language="en")])[0].text


def _listen(listener: VoiceListener, clip: np.ndarray) -> list[bytes]:
    return [voice.active.tobytes() for voice in listener.listen(clip[: 10 * SAMPLE_RATE])]


def _translate(translator: BergamotTranslator) -> str:
    return translator.translate([TranslationRequest("Good morning.", "en", "pt")])[0].text


def _write(model: Any) -> list[int]:
    import torch

    prompt = torch.arange(100, 132)[None]
    with torch.inference_mode():
        tokens = model.generate(prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=1)
    return [int(token) for token in tokens[0]]


def _reload(folder: Path) -> dict[str, float]:
    """Measure seconds to load the summarizer with `from_pretrained` (safetensors, no copy kept) and to warm it up."""
    import torch

    files = folder / "summarizer"
    _load_summarizer().save_pretrained(files)
    seconds = []
    for _ in range(RELOADS):
        gc.collect()
        started = time.perf_counter()
        model = import_transformers().AutoModelForCausalLM.from_pretrained(files, dtype=torch.float32).eval()
        _write(model)
        seconds.append(time.perf_counter() - started)
        del model
    shutil.rmtree(files)
    return {**spread(seconds), "mean": round(statistics.fmean(seconds), 4)}


def _resident_bytes() -> int:
    release_memory(CPU)
    return int(psutil.Process().memory_info().rss)
