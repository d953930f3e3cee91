"""From settings to the engine that a worker or a command runs: the one place that loads models."""

from __future__ import annotations

from pathlib import Path

from inference.catalog import default_model
from inference.device import choose_device
from inference.engine import Engine
from inference.loading import model_folder
from meetings.environment import Environment


def speech_model(environment: Environment) -> Path:
    """The folder of the chosen Whisper; raises what `inference.loading.model_folder` raises."""
    name = environment.asr_model or default_model(environment.profile, "asr").name
    return model_folder(name, environment.models)


def load_engine(environment: Environment) -> Engine:
    """Loads and warms up the models: about 2 s on a CPU with the starter profile.

    Raises:
        ModelMissing, ModelCorrupt: the weights are not here; the message says how to get them.
        NoSuchDevice: PARLANCE_DEVICE names a GPU that is not there.
    """
    from inference.whisper import CTranslate2Transcriber

    folder = speech_model(environment)
    device = choose_device(environment.device)
    transcriber = CTranslate2Transcriber(folder, device=device)
    transcriber.warm_up()
    return Engine(transcriber)
