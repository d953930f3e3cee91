"""The two libraries that run Whisper: location of the weights, size estimate, and loading."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from inference.models.catalog import MODELS
from inference.models.device import CPU, Device
from inference.models.loading import ModelMissing, model_folder
from inference.models.optimization.flags import Component, FlagChoices, tune
from inference.models.residency.sizes import file_bytes, safetensors_bytes
from inference.speech.asr import Transcriber
from inference.speech.ctranslate2_file import read_ctranslate2

Backend = Literal["ctranslate2", "transformers"]


class Recognizer(Transcriber, Protocol):
    """A transcriber with a warm-up."""

    def warm_up(self) -> None:
        """Decode a second of silence, so that the first caption does not wait for memory allocation."""
        ...


def speech_folder(name_or_path: str, models: Path, backend: Backend) -> Path:
    """Return the folder of a catalogue model under `models`, or the operator's own folder if `backend` can read it.

    Raises:
        ModelMissing, ModelCorrupt: the weights are missing or incomplete; the message says how to get them.
        UnknownModel: the argument is neither a catalogue name nor a path.
    """
    folder = Path(name_or_path).expanduser()
    is_own = name_or_path not in {model.name for model in MODELS} and folder.is_dir()
    if not (is_own and is_hub_layout(folder)):
        return model_folder(name_or_path, models)
    if backend == "ctranslate2":
        raise ModelMissing(
            f"{folder} holds a Whisper of transformers; set PARLANCE_ASR_BACKEND=transformers, or name a folder "
            "with a CTranslate2 model."
        )
    return folder


def is_hub_layout(folder: Path) -> bool:
    """Return whether only transformers can read the weights."""
    files = (*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin"))
    return not (folder / "model.bin").is_file() and bool(files)


def speech_bytes(folder: Path, backend: Backend, device: Device, wishes: FlagChoices) -> int:
    """Return the bytes that the weights will take on `device`, before loading them.

    CTranslate2 models count as large as their file (in 8 bits they are smaller); so do pickled ones.

    Raises:
        ModelMissing, ModelCorrupt: the weights are missing or unreadable.
    """
    if backend == "ctranslate2":
        return file_bytes(folder)
    bits: Literal[16, 32] = 32 if tune(Component.SPEECH, device.kind, wishes).precision == "float32" else 16
    if is_hub_layout(folder):
        headed = list(folder.glob("*.safetensors"))
        return sum(safetensors_bytes(path, bits=bits) for path in headed) if headed else file_bytes(folder)
    held = {id(array): array for array in read_ctranslate2(folder / "model.bin").variables.values()}
    return sum(array.size for array in held.values() if np.issubdtype(array.dtype, np.floating)) * bits // 8


def load_recognizer(
    folder: Path,
    backend: Backend,
    *,
    device: Device = CPU,
    runs_on: Device | None = None,
    wishes: FlagChoices | None = None,
) -> Recognizer:
    """Return the Whisper model in `folder`, without a warm-up.

    `runs_on` is the device that the pool moves it to, if not `device`; CTranslate2 loads where it runs. `wishes` are
    the choices of `inference.models.optimization.flags`; CTranslate2 has its own settings.

    Raises:
        ModelMissing, ModelCorrupt: the folder does not hold a complete Whisper model.
        RuntimeError, ValueError: CTranslate2's own errors for such a folder.
    """
    if backend == "transformers":
        from inference.speech.whisper_transformers import TransformersTranscriber

        return TransformersTranscriber(folder, device=device, runs_on=runs_on, wishes=wishes)
    from inference.speech.whisper import CTranslate2Transcriber

    return CTranslate2Transcriber(folder, device=runs_on or device)
