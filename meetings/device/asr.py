"""Speech recognition from the settings: which Whisper, through which library, and how the pool moves it."""

from __future__ import annotations

from pathlib import Path

from inference.models.catalog import default_model
from inference.models.device import Device, choose_device
from inference.models.residency.ctranslate2_model import CTranslate2Resident
from inference.models.residency.plan import Group, ModelNeed, ModelSize
from inference.models.residency.torch_module import TorchResident
from inference.models.residency.transfers import Member
from inference.speech.backends import Backend, Recognizer, load_recognizer, speech_bytes, speech_folder
from inference.speech.sealing import SealPolicy
from meetings.environment import Environment

ASR = "asr"
"""Name in the pool."""

ASR_WORKING_BYTES = 400_000_000
"""Bytes in addition to the weights: a generous estimate of activations and key-value caches."""


def speech_backend(environment: Environment) -> Backend:
    """Return the library that runs Whisper. The default is CTranslate2 (docs/benchmarks.md has both, measured)."""
    return "ctranslate2" if environment.asr_backend == "auto" else environment.asr_backend


def speech_model(environment: Environment) -> Path:
    """Return the folder of the chosen Whisper. Raises what `inference.speech.backends.speech_folder` raises."""
    name = environment.asr_model or default_model(environment.profile, "asr").name
    return speech_folder(name, environment.models, speech_backend(environment))


def seal_policy(environment: Environment) -> SealPolicy:
    """Return when the words of live meetings are sealed. A GPU decodes more often."""
    return SealPolicy(first=1.0, step=0.5) if environment.profile == "gpu" else SealPolicy()


def load_warm_recognizer(environment: Environment) -> Recognizer:
    """Load and warm up the chosen Whisper on its device, outside of a pool.

    Raises:
        ModelMissing, ModelCorrupt: the weights are not here; the message says how to get them.
        NoSuchDevice: PARLANCE_DEVICE names a GPU that is not there.
    """
    backend = speech_backend(environment)
    folder = speech_model(environment)
    device = choose_device(environment.device)
    recognizer = load_recognizer(folder, backend, device=device, wishes=environment.optimizations)
    recognizer.warm_up()
    return recognizer


def speech_member(environment: Environment, device: Device) -> Member:
    """Return the chosen Whisper as a member of the pool of `device`. Raises what `speech_model` raises."""
    backend = speech_backend(environment)
    folder = speech_model(environment)

    def load() -> Recognizer:
        # Always load on the host, where the pool can move it.
        return load_recognizer(folder, backend, runs_on=device, wishes=environment.optimizations)

    size = ModelSize(speech_bytes(folder, backend, device, environment.optimizations), ASR_WORKING_BYTES)
    need = ModelNeed(folder.name, Group.TRANSCRIPTION, size, "choose a smaller PARLANCE_ASR_MODEL")
    resident: CTranslate2Resident[Recognizer] | TorchResident[Recognizer]
    if backend == "transformers":
        resident = TorchResident(load, device=device, folder=environment.data, warm_up=_warm_up)
    else:
        resident = CTranslate2Resident(load, device=device, warm_up=_warm_up)
    return Member(ASR, need, resident)


def _warm_up(recognizer: Recognizer) -> None:
    recognizer.warm_up()
