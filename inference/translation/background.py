"""Translate captions in a separate thread, while recognition continues."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from inference.translation.translator import TranslationRequest, Translator, offers


class BackgroundTranslation:
    """Translates each text once into each target language. Leaving the context ends the thread."""

    def __init__(self, translator: Translator, targets: Sequence[str], *, vocabulary: Sequence[str] = ()) -> None:
        """`vocabulary` lists names and jargon to keep unchanged in translations."""
        self._translator = translator
        self._targets = tuple(targets)
        self._vocabulary = tuple(vocabulary)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="translation")
        self._answers: dict[tuple[str, str], Future[dict[str, str]]] = {}
        self.compute_s = 0.0
        """Seconds spent translating."""

    def __enter__(self) -> BackgroundTranslation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._thread.shutdown(cancel_futures=True)

    def begin(self, text: str, source: str) -> None:
        """Schedule the translation of `text`. A text already scheduled is not translated again."""
        if (text, source) not in self._answers:
            self._answers[text, source] = self._thread.submit(self._translate, text, source)

    def finish(self, text: str, source: str) -> dict[str, str]:
        """Return the translations by language, as far as `source` allows and the models could translate it.

        Raises what the translator raised.
        """
        self.begin(text, source)
        return self._answers[text, source].result()

    def _translate(self, text: str, source: str) -> dict[str, str]:
        targets = [target for target in self._targets if offers(self._translator, source, target)]
        requests = [TranslationRequest(text, source, target, self._vocabulary) for target in targets]
        started = time.perf_counter()
        translations = self._translator.translate(requests)
        self.compute_s += time.perf_counter() - started
        pairs = zip(targets, translations, strict=True)
        return {target: done.text for target, done in pairs if done.translated or done.text != text}
