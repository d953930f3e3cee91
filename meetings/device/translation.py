"""Translation from the settings: which models, and how the pool moves them."""

from __future__ import annotations

from pathlib import Path

from inference.models.catalog import find_model
from inference.models.device import CPU, Device, choose_device
from inference.models.loading import ModelMissing, check_sizes
from inference.models.optimization.flags import Component, tune
from inference.models.residency.plan import Group, ModelNeed, ModelSize
from inference.models.residency.resident import HostOnlyResident
from inference.models.residency.sizes import Bits, file_bytes, planned_bytes
from inference.models.residency.torch_module import TorchResident
from inference.models.residency.transfers import Member
from inference.models.torchaudio_compat import import_transformers
from inference.translation.translator import TranslationRequest, Translator
from meetings.environment import Environment
from meetings.offers import translation_family, translation_model, translator_label

TRANSLATION = "translation"
"""Name in the pool."""

TRANSLATION_WORKING_BYTES = 500_000_000
"""Bytes in addition to the weights: a generous estimate of the key-value caches of a full batch."""

ARCHITECTURE = "AutoModelForSeq2SeqLM"
WARM_UP_REQUEST = TranslationRequest("Good morning.", "en", "pt")


def load_translator(environment: Environment) -> Translator:
    """Load the translator outside of a pool. `meetings.offers` knows its languages.

    The starter models load when a direction is first used. One thread at a time may use it; any may load it.

    Raises:
        ModelMissing, ModelCorrupt: the weights are not here; the message says how to get them.
        NoSuchDevice: PARLANCE_DEVICE names a GPU that is not there.
    """
    if translation_family(environment) == "starter":
        return _load_starter()
    device = choose_device(environment.device)
    return _load_m2m100(environment, _folder(environment), device=device, runs_on=device)


def translation_member(environment: Environment, device: Device) -> Member:
    """Return the translator as a deferred member of the pool of `device`: it joins while captions already run.

    Raises:
        ModelMissing, ModelCorrupt: the weights are not here; the message says how to get them.
    """
    if translation_family(environment) == "starter":
        return _starter_member(device)
    folder = _folder(environment)
    label = Path(translation_model(environment)).name

    def load() -> Translator:
        # Always load on the host, where the pool can move it.
        return _load_m2m100(environment, folder, device=CPU, runs_on=device)

    precision = tune(Component.TRANSLATION, device.kind, environment.optimizations).precision
    size = ModelSize(_weight_bytes(folder, 32 if precision == "float32" else 16), TRANSLATION_WORKING_BYTES)
    need = ModelNeed(label, Group.TRANSCRIPTION, size, "choose a smaller PARLANCE_TRANSLATION_MODEL")
    resident: TorchResident[Translator] = TorchResident(load, device=device, folder=environment.data, warm_up=_warm_up)
    return Member(TRANSLATION, need, resident, is_deferred=True)


def _starter_member(device: Device) -> Member:
    """Return a member that never leaves the host; the pool only schedules its use."""
    from inference.translation.bergamot import installed_folders

    on_device = sum(file_bytes(folder) for folder in installed_folders().values()) if device.kind == "cpu" else 0
    need = ModelNeed("starter translation", Group.TRANSCRIPTION, ModelSize(on_device))
    resident: HostOnlyResident[Translator] = HostOnlyResident(_load_starter, warm_up=lambda translator: None)
    return Member(TRANSLATION, need, resident, is_deferred=True)


def _load_starter() -> Translator:
    from inference.translation.bergamot import BergamotTranslator, installed_folders

    return BergamotTranslator(installed_folders())


def _load_m2m100(environment: Environment, folder: Path, *, device: Device, runs_on: Device) -> Translator:
    from inference.translation.m2m100 import M2M100Translator

    label = translator_label(environment)
    return M2M100Translator(folder, device=device, runs_on=runs_on, wishes=environment.optimizations, label=label)


def _folder(environment: Environment) -> Path:
    name = translation_model(environment)
    if "/" not in name:
        return check_sizes(find_model(name), environment.models)
    folder = Path(name).expanduser()
    if not folder.is_dir():
        raise ModelMissing(f"There is no folder {folder}; let PARLANCE_TRANSLATION_MODEL name one with an M2M100.")
    return folder


def _weight_bytes(folder: Path, bits: Bits) -> int:
    """Return the expected bytes on the device before anything is loaded."""
    config = import_transformers().AutoConfig.from_pretrained(folder)
    return planned_bytes(config, bits=bits, architecture=ARCHITECTURE)


def _warm_up(translator: Translator) -> None:
    translator.translate([WARM_UP_REQUEST])
