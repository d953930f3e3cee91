"""From settings to the engine that a worker or a command runs: the one place that loads models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from inference.asr import Transcriber
from inference.catalog import BRIDGE, default_model, find_model
from inference.device import CPU, choose_device
from inference.diarization.voices import Listener
from inference.engine import Engine
from inference.loading import ModelMissing, check_sizes, model_folder
from inference.residency.pool import ModelPool
from inference.translation.translator import Translator
from meetings.environment import Environment
from meetings.offers import translation_family, translation_model, translator_label
from meetings.recognizing import load_warm_recognizer, speech_backend
from meetings.stack import build_pool


@dataclass(frozen=True, slots=True)
class Loaders:
    """How a worker comes by its models; each is called in the thread that will use them."""

    pool: Callable[[], ModelPool]
    """Not started; it has the transcriber as `recognizing.ASR`, and maybe a summariser as `stack.SUMMARY`."""
    listener: Callable[[], Listener]
    translator: Callable[[], Translator]
    bridge: Callable[[], Transcriber] | None = None
    """None: what is said while the models are away is shown afterwards."""


def loaders(environment: Environment) -> Loaders:
    """Those of the settings."""
    return Loaders(
        pool=lambda: build_pool(environment),
        listener=lambda: load_listener(environment),
        translator=lambda: load_translator(environment),
        bridge=(lambda: load_bridge(environment)) if is_bridged(environment) else None,
    )


def is_bridged(environment: Environment) -> bool:
    """Whether a small model writes provisional captions on the CPU while the summariser has the device.

    Unless it is set: where the device is a GPU. On a CPU both would want the same cores (docs/summaries.md).
    """
    if environment.bridge == "auto":
        return choose_device(environment.device).kind != "cpu"
    return environment.bridge == "on"


def load_bridge(environment: Environment) -> Transcriber:
    """A small Whisper on the CPU, whatever the device.

    Raises ModelMissing or ModelCorrupt: its weights are not here; the message says how to get them.
    """
    from inference.whisper import CTranslate2Transcriber

    bridge = CTranslate2Transcriber(model_folder(BRIDGE, environment.models), device=CPU, workers=1)
    bridge.warm_up()
    return bridge


def load_engine(environment: Environment) -> Engine:
    """Loads and warms up the models: about 2 s on a CPU with the starter profile.

    Raises:
        ModelMissing, ModelCorrupt: the weights are not here; the message says how to get them.
        NoSuchDevice: PARLANCE_DEVICE names a GPU that is not there.
    """
    return Engine(load_warm_recognizer(environment))


def load_translator(environment: Environment) -> Translator:
    """The translator for which `meetings.offers` answers. The starter models load when a direction is first used.

    One thread at a time may use it; any may load it.

    Raises:
        ModelMissing, ModelCorrupt: the weights are not here; the message says how to get them.
        NoSuchDevice: PARLANCE_DEVICE names a GPU that is not there.
    """
    if translation_family(environment) == "starter":
        from inference.translation.bergamot import BergamotTranslator, installed_folders

        return BergamotTranslator(installed_folders())
    from inference.translation.m2m100 import M2M100Translator

    folder = _translation_folder(environment)
    device, wishes = choose_device(environment.device), environment.optimizations
    return M2M100Translator(folder, device=device, wishes=wishes, label=translator_label(environment))


def load_listener(environment: Environment) -> Listener:
    """Who tells voices apart. It may be loaded and used in any thread, by one at a time.

    Torch is set to one thread a call on the CPU, for the whole process: these networks are too small to be worth
    sharing out, and threads that wait for work take the cores from recognition. Where recognition itself is torch's,
    it keeps all cores.

    Raises:
        ModelMissing, ModelCorrupt: the weights are not here; the message says how to get them.
        NoSuchDevice: PARLANCE_DEVICE names a GPU that is not there.
    """
    import torch

    from inference.diarization.voices import load_listener as load

    folder = check_sizes(default_model(environment.profile, "speakers"), environment.models)
    device = choose_device(environment.device)
    if speech_backend(environment) == "ctranslate2" or device.kind != "cpu":
        torch.set_num_threads(1)
    return load(folder, device=device, wishes=environment.optimizations)


def _translation_folder(environment: Environment) -> Path:
    name = translation_model(environment)
    if "/" not in name:
        return check_sizes(find_model(name), environment.models)
    folder = Path(name).expanduser()
    if not folder.is_dir():
        raise ModelMissing(f"There is no folder {folder}; let PARLANCE_TRANSLATION_MODEL name one with an M2M100.")
    return folder
