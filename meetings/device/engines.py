"""From settings to the engine that a worker or a command runs: the one place that loads models."""

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
    """How a worker comes by its models; each is called in the thread that will use them."""

    pool: Callable[[], ModelPool]
    """Not started; what may be in it besides the transcriber is named by `meetings.device.pool`."""
    bridge: Callable[[], Transcriber] | None = None
    """None: what is said while the models are away is shown afterwards."""
    is_warm: bool = False
    """Whether the summariser waits in memory from the start."""
    is_summarizer_unpacking: Callable[[], bool] = lambda: False
    """Whether a summary has to wait for weights that another process unpacks."""


def loaders(environment: Environment) -> Loaders:
    """Those of the settings."""
    return Loaders(
        pool=lambda: build_pool(environment),
        bridge=(lambda: load_bridge(environment)) if is_bridged(environment) else None,
        is_warm=is_warm(environment),
        is_summarizer_unpacking=lambda: is_unpacking(environment),
    )


def is_bridged(environment: Environment) -> bool:
    """Whether a small model writes provisional captions on the CPU while the summariser has the device.

    Unless it is set: where the device is a GPU. On a CPU both would want the same cores (docs/summaries.md).
    """
    if environment.bridge == "auto":
        return choose_device(environment.device).kind != "cpu"
    return environment.bridge == "on"


def is_warm(environment: Environment) -> bool:
    """Whether the summariser is loaded at the start, so that the first summary does not wait for it.

    Unless it is set: where the device is a GPU. On a CPU that is memory for what may never be asked for.
    """
    if environment.warm_start == "auto":
        return choose_device(environment.device).kind != "cpu"
    return environment.warm_start == "on"


def load_bridge(environment: Environment) -> Transcriber:
    """A small Whisper on the CPU, whatever the device.

    Raises ModelMissing or ModelCorrupt: its weights are not here; the message says how to get them.
    """
    from inference.speech.whisper import CTranslate2Transcriber

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
