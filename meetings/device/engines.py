"""Build the engine of a worker or a command from the settings. All models are loaded through here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from inference.models.catalog import BRIDGE
from inference.models.device import CPU, choose_device
from inference.models.loading import model_folder
from inference.models.residency.pool import ModelPool
from inference.speech.asr import Transcriber
from inference.speech.engine import Engine
from meetings.device.asr import load_warm_recognizer
from meetings.device.pool import build_pool
from meetings.device.summarization import is_unpacking
from meetings.environment import Environment


@dataclass(frozen=True, slots=True)
class Loaders:
    """Callables that load a worker's models. Call each in the thread that will use the models."""

    pool: Callable[[], ModelPool]
    """Returns the pool, not started. `meetings.device.pool` lists what it may hold in addition to the transcriber."""
    bridge: Callable[[], Transcriber] | None = None
    """None: audio that arrives during a swap is captioned afterwards."""
    is_warm: bool = False
    """Whether the summariser is kept in memory from the start."""
    is_summarizer_unpacking: Callable[[], bool] = lambda: False
    """Whether a summary has to wait for weights that another process unpacks."""


def loaders(environment: Environment) -> Loaders:
    """Return the loaders for the settings."""
    return Loaders(
        pool=lambda: build_pool(environment),
        bridge=(lambda: load_bridge(environment)) if is_bridged(environment) else None,
        is_warm=is_warm(environment),
        is_summarizer_unpacking=lambda: is_unpacking(environment),
    )


def is_bridged(environment: Environment) -> bool:
    """Return whether a small model writes provisional captions on the CPU while the summariser has the device.

    By default only where the device is a GPU. On a CPU both would compete for the same cores (docs/summaries.md).
    """
    if environment.bridge == "auto":
        return choose_device(environment.device).kind != "cpu"
    return environment.bridge == "on"


def is_warm(environment: Environment) -> bool:
    """Return whether the summariser is loaded at the start, so that the first summary does not wait for it.

    By default only where the device is a GPU. On a CPU it would take memory for something that may never be used.
    """
    if environment.warm_start == "auto":
        return choose_device(environment.device).kind != "cpu"
    return environment.warm_start == "on"


def load_bridge(environment: Environment) -> Transcriber:
    """Load and warm up a small Whisper on the CPU, whatever the device.

    Raises ModelMissing or ModelCorrupt: its weights are not here; the message says how to get them.
    """
    from inference.speech.whisper import CTranslate2Transcriber

    bridge = CTranslate2Transcriber(model_folder(BRIDGE, environment.models), device=CPU, workers=1)
    bridge.warm_up()
    return bridge


def load_engine(environment: Environment) -> Engine:
    """Load and warm up the speech model: about 2 s on a CPU with the starter profile.

    Raises:
        ModelMissing, ModelCorrupt: the weights are not here; the message says how to get them.
        NoSuchDevice: PARLANCE_DEVICE names a GPU that is not there.
    """
    return Engine(load_warm_recognizer(environment))
