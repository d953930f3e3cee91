"""From a catalogue model to the networks in it that are loaded one by one."""

from __future__ import annotations

from pathlib import Path

from inference.catalog import Model
from inference.diarization.checkpoint import PyannoteNetwork
from inference.diarization.embedding import CamPlusPlusNetwork
from inference.diarization.voices import COMMUNITY_EMBEDDING, COMMUNITY_SEGMENTATION
from inference.loading.component import Component
from inference.whisper_weights import whisper_component


class NoComponents(ValueError):
    """The model is loaded in one piece, by a library that has ways of its own."""


def model_components(model: Model, folder: Path) -> tuple[Component, ...]:
    """The networks of `model`, which lies in `folder`.

    Raises:
        NoComponents: it has none of its own.
        ModelMissing: a file is not there.
    """
    if model.stage == "asr":
        return (whisper_component(folder),)
    if model.stage != "speakers":
        raise NoComponents(f"{model.name} is loaded in one piece; name a model that hears words or voices.")
    if (folder / COMMUNITY_EMBEDDING).is_file():
        embedding = PyannoteNetwork(folder / COMMUNITY_EMBEDDING, "WeSpeakerResNet34")
        return PyannoteNetwork(folder / COMMUNITY_SEGMENTATION, "PyanNet"), embedding
    return PyannoteNetwork(folder / "segmentation.bin", "PyanNet"), CamPlusPlusNetwork(folder / "embedding.pt")
