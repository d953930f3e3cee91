"""Which languages can be read here. The models are chosen here too, but not loaded: pages and sockets ask as well."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from django.utils.translation import gettext as _

from inference.models.catalog import default_model
from inference.translation.pairs import m2m100_targets, starter_targets
from meetings.environment import STARTER_TRANSLATION, Environment
from meetings.languages import AUTO, COMMON, LANGUAGES, language_name
from meetings.models import Meeting

Family = Literal["starter", "m2m100"]
"""The kinds of translation models that there are."""


def speech_model_name(environment: Environment) -> str:
    """The name of the chosen Whisper: that of the catalogue, or of its folder."""
    return Path(environment.asr_model or default_model(environment.profile, "asr").name).name


def speech_model_folder(environment: Environment) -> Path:
    """Where the chosen Whisper would be; on a machine that only serves pages it need not be there."""
    chosen = Path(environment.asr_model or speech_model_name(environment)).expanduser()
    return chosen if len(chosen.parts) > 1 else environment.models / chosen


def translation_model(environment: Environment) -> str:
    """The chosen model: STARTER_TRANSLATION, a catalogue name, or the folder of an M2M100."""
    if environment.translation_model:
        return environment.translation_model
    if environment.profile == "starter":
        return STARTER_TRANSLATION
    return default_model(environment.profile, "translation").name


def translation_family(environment: Environment) -> Family:
    """What kind of model the chosen one is."""
    return "starter" if translation_model(environment) == STARTER_TRANSLATION else "m2m100"


def translator_label(environment: Environment) -> str:
    """How people know the chosen model, such as "the starter models", in the interface language."""
    if translation_family(environment) == "starter":
        return _("the starter models")
    return Path(translation_model(environment)).name


def offered_targets(environment: Environment, source: str) -> frozenset[str]:
    """The languages that captions in `source` can be read in, `source` itself not among them.

    Where the spoken language is detected (AUTO), those that captions in some language can be read in.
    """
    if source == AUTO:
        return frozenset(target for spoken in LANGUAGES for target in _targets(environment, spoken))
    return _targets(environment, source)


def readable_languages(environment: Environment, spoken: str) -> tuple[str, ...]:
    """All that a meeting in `spoken`, or AUTO, can be read in: what is spoken, the common ones, then by name."""
    targets = offered_targets(environment, spoken) - {spoken}
    others = sorted(targets, key=lambda code: (code not in COMMON, _place(code), language_name(code)))
    return tuple(others) if spoken == AUTO else (spoken, *others)


def meeting_languages(environment: Environment, meeting: Meeting) -> tuple[str, ...]:
    """All that a meeting can be read in: what is spoken, then what its host lists, then the rest."""
    spoken = meeting.detectable_languages if meeting.language == AUTO else (meeting.language,)
    readable = readable_languages(environment, meeting.language)
    listed = [code for code in meeting.languages if code in readable]
    return tuple(dict.fromkeys([*spoken, *listed, *readable]))


def why_unreadable(environment: Environment, source: str, target: str) -> str:
    """Why `target` cannot be read, in the interface language: "Spanish is not available with the starter models."

    Names the language that the models lack: the spoken one where it cannot be translated at all.
    """
    missing = target if source == AUTO or _targets(environment, source) else source
    return _("%(language)s is not available with %(models)s.") % {
        "language": language_name(missing),
        "models": translator_label(environment),
    }


def _targets(environment: Environment, source: str) -> frozenset[str]:
    return starter_targets(source) if translation_family(environment) == "starter" else m2m100_targets(source)


def _place(code: str) -> int:
    return COMMON.index(code) if code in COMMON else len(COMMON)
