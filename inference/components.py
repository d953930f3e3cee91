"""Map a catalogue model to the networks it consists of, and to the form each is loaded in."""

from __future__ import annotations

from pathlib import Path

from inference.diarization.embedding import CamPlusPlusNetwork
from inference.diarization.local_speakers import COMMUNITY_EMBEDDING, COMMUNITY_SEGMENTATION
from inference.diarization.pyannote_loader import PyannoteNetwork
from inference.models.catalog import Model, Stage
from inference.models.loading.component import Component, Form
from inference.models.optimization import flags
from inference.speech.whisper_weights import whisper_component
from inference.summarization.chat_weights import chat_component
from inference.translation.m2m100_weights import m2m100_component

PRECISE: dict[Stage, flags.Component] = {
    "asr": flags.Component.SPEECH,
    "translation": flags.Component.TRANSLATION,
    "summary": flags.Component.SUMMARY,
}
"""Stages whose weight dtype depends on the device."""


def model_components(model: Model, folder: Path) -> tuple[Component, ...]:
    """Return the networks of `model` in `folder`, as torch runs them.

    Raises:
        ModelMissing: a file is missing.
    """
    if model.stage == "asr":
        return (whisper_component(folder),)
    if model.stage == "translation":
        return (m2m100_component(folder),)
    if model.stage == "summary":
        return (chat_component(folder),)
    if (folder / COMMUNITY_EMBEDDING).is_file():
        embedding = PyannoteNetwork(folder / COMMUNITY_EMBEDDING, "WeSpeakerResNet34")
        return PyannoteNetwork(folder / COMMUNITY_SEGMENTATION, "PyanNet"), embedding
    return PyannoteNetwork(folder / "segmentation.bin", "PyanNet"), CamPlusPlusNetwork(folder / "embedding.pt")


def model_form(model: Model, kind: flags.DeviceKind, wishes: flags.FlagChoices) -> Form:
    """Return the form in which the networks of `model` are loaded for this kind of device.

    Diarization networks are float32 on every device and moved unchanged.
    """
    if model.stage == "speakers":
        return Form()
    return Form(kind, flags.tune(PRECISE[model.stage], kind, wishes).precision)
