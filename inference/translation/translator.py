"""The interface between meetings and translation models.

The implementations are `inference.translation.bergamot` and `inference.translation.m2m100`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class TranslationRequest:
    """One caption to be translated into one language."""

    text: str
    source: str
    """ISO 639-1 code of the spoken language."""
    target: str
    """ISO 639-1 code of the translation."""
    vocabulary: tuple[str, ...] = ()
    """The meeting's names and jargon; where they are spoken, they appear in the translation as written here."""


@dataclass(frozen=True, slots=True)
class Translation:
    """The text to show; never blank if something was said."""

    text: str
    translated: bool
    """False if a sentence has no translation (nonsense, a copy, another script); it then appears in `text` as said."""


class Translator(Protocol):
    """Translates captions. Not thread-safe."""

    label: str
    """Display name of the models, such as "the starter models"."""

    def targets(self, source: str) -> frozenset[str]:
        """Return the languages that captions in `source` can be translated into, excluding `source`."""
        ...

    def translate(self, requests: Sequence[TranslationRequest]) -> list[Translation]:
        """Return one translation per request, in order. Captions and languages share the model's batches.

        Raises:
            PairNotOffered: a request's pair is not among `targets`; nothing was translated.
        """
        ...


class PairNotOffered(LookupError):
    """The models do not translate between these two languages; the message is shown to users."""


def offers(translator: Translator, source: str, target: str) -> bool:
    """Return whether captions in `source` can be translated into `target`."""
    return target in translator.targets(source)


def refusal(translator: Translator, source: str, target: str, *, names: Mapping[str, str]) -> str:
    """Return why `target` is unavailable: "Spanish is not available with the starter models."

    Names the language that the models lack: the spoken one if it cannot be translated at all. `names` maps codes to
    language names; a code without a name is used as it is.
    """
    missing = target if translator.targets(source) else source
    return f"{names.get(missing, missing)} is not available with {translator.label}."


def require_pairs(translator: Translator, requests: Sequence[TranslationRequest]) -> None:
    """Raise PairNotOffered for the first request whose pair `translator` lacks."""
    for request in requests:
        if not offers(translator, request.source, request.target):
            raise PairNotOffered(refusal(translator, request.source, request.target, names={}))
