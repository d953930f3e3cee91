"""Translation as the meetings see it: captions to translate, what came of them, and which pairs there are.

Which model answers is the business of `inference.translation.bergamot` and `inference.translation.m2m100`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class TranslationRequest:
    """One caption to be read in one other language."""

    text: str
    source: str
    """ISO 639-1, as spoken."""
    target: str
    """ISO 639-1, as read."""
    vocabulary: tuple[str, ...] = ()
    """The meeting's names and jargon; where one is said, it stands in the translation as it is written here."""


@dataclass(frozen=True, slots=True)
class Translation:
    """What people read; never blank where something was said."""

    text: str
    translated: bool
    """False: the model answered a sentence with nonsense, and that sentence stands in `text` as it was said."""


class Translator(Protocol):
    """Translates captions. Not to be called from two threads at once."""

    label: str
    """How people know the models, such as "the starter models"."""

    def targets(self, source: str) -> frozenset[str]:
        """The languages that captions in `source` can be read in, `source` itself not among them."""
        ...

    def translate(self, requests: Sequence[TranslationRequest]) -> list[Translation]:
        """One translation a request, in their order; captions and languages share the model's batches.

        Raises:
            PairNotOffered: a request's pair is not among `targets`; nothing was translated.
        """
        ...


class PairNotOffered(LookupError):
    """The models do not translate between these two languages; the message is the sentence that people read."""


def offers(translator: Translator, source: str, target: str) -> bool:
    """Whether captions in `source` can be read in `target`."""
    return target in translator.targets(source)


def refusal(translator: Translator, source: str, target: str, *, names: Mapping[str, str]) -> str:
    """Why `target` cannot be read: "Spanish is not available with the starter models."

    Names the language that the models lack: the spoken one where it cannot be translated at all. `names` gives the
    languages' names by code; a code without a name stands for itself.
    """
    missing = target if translator.targets(source) else source
    return f"{names.get(missing, missing)} is not available with {translator.label}."


def require_pairs(translator: Translator, requests: Sequence[TranslationRequest]) -> None:
    """Raises PairNotOffered for the first request whose pair `translator` lacks."""
    for request in requests:
        if not offers(translator, request.source, request.target):
            raise PairNotOffered(refusal(translator, request.source, request.target, names={}))
