"""The two libraries that run a Whisper: where each finds its weights, how large they will be, and how it is loaded."""

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
    """A transcriber that can be made ready for its first request."""

    def warm_up(self) -> None:
        """Decodes a second of silence, so that the first caption does not wait for memory to be laid out."""
        ...


def speech_folder(name_or_path: str, models: Path, backend: Backend) -> Path:
    """The folder of a catalogue model under `models`, or one of the operator's own that `backend` can read.

    Raises:
        ModelMissing, ModelCorrupt: the weights are not here, or not whole; the message says how to get them.
        UnknownModel: neither a catalogue name nor a path.
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
    """Whether only transformers can read the weights."""
    files = (*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin"))
    return not (folder / "model.bin").is_file() and bool(files)


def speech_bytes(folder: Path, backend: Backend, device: Device, wishes: FlagChoices) -> int:
    """Bytes that the weights will take on `device`, told before they are loaded.

    CTranslate2's are taken to be as large as its file (in 8 bits they are smaller), and so are pickled ones.

    Raises:
        ModelMissing, ModelCorrupt: there are none, or they cannot be read.
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
    """The Whisper in `folder`, not warmed up.

    `runs_on` is where somebody else moves it to, if that is not `device`; CTranslate2 loads where it runs. `wishes`:
    see `inference.models.optimization.flags`; CTranslate2 has settings of its own.

    Raises:
        ModelMissing, ModelCorrupt: the folder holds no whole Whisper.
        RuntimeError, ValueError: what CTranslate2 raises for such a folder.
    """
    if backend == "transformers":
        from inference.speech.whisper_transformers import TransformersTranscriber

        return TransformersTranscriber(folder, device=device, runs_on=runs_on, wishes=wishes)
    from inference.speech.whisper import CTranslate2Transcriber

    return CTranslate2Transcriber(folder, device=runs_on or device)
