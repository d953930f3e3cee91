from __future__ import annotations

from collections.abc import Sequence
from threading import active_count

import pytest

from inference.translation.background import BackgroundTranslation
from inference.translation.translator import Translation, TranslationRequest, require_pairs


class SpellingTranslator:
    """Spells out what it was asked, where a real one would be slow."""

    label = "this test"

    def __init__(self) -> None:
        self.asked: list[TranslationRequest] = []

    def targets(self, source: str) -> frozenset[str]:
        return frozenset({"en", "pt", "es"}) - {source} if source != "la" else frozenset()

    def translate(self, requests: Sequence[TranslationRequest]) -> list[Translation]:
        require_pairs(self, requests)
        self.asked += requests
        if any(request.text == "broken" for request in requests):
            raise RuntimeError("broken")
        return [Translation(f"{request.source}>{request.target}: {request.text}", True) for request in requests]


def test_a_text_is_translated_once_into_every_language() -> None:
    translator = SpellingTranslator()
    with BackgroundTranslation(translator, ("pt", "es"), vocabulary=("Ana",)) as background:
        background.begin("Yes.", "en")
        assert background.finish("Yes.", "en") == {"pt": "en>pt: Yes.", "es": "en>es: Yes."}
        assert background.finish("No.", "en") == {"pt": "en>pt: No.", "es": "en>es: No."}
        assert background.finish("Yes.", "en") == {"pt": "en>pt: Yes.", "es": "en>es: Yes."}
    assert [request.text for request in translator.asked] == ["Yes.", "Yes.", "No.", "No."]
    assert {request.vocabulary for request in translator.asked} == {("Ana",)}
    assert background.compute_s > 0.0


def test_a_language_that_is_spoken_or_not_offered_is_left_out() -> None:
    with BackgroundTranslation(SpellingTranslator(), ("pt", "es")) as background:
        assert background.finish("Sim.", "pt") == {"es": "pt>es: Sim."}
        assert background.finish("Ita.", "la") == {}


def test_what_is_not_translated_at_all_is_left_out() -> None:
    class Copying(SpellingTranslator):
        def translate(self, requests: Sequence[TranslationRequest]) -> list[Translation]:
            return [Translation(f"{request.target} {request.text}".removeprefix("pt "), False) for request in requests]

    with BackgroundTranslation(Copying(), ("pt", "es")) as background:
        assert background.finish("Yes.", "en") == {"es": "es Yes."}


def test_what_the_translator_raises_reaches_the_caller() -> None:
    with BackgroundTranslation(SpellingTranslator(), ("pt",)) as background:
        background.begin("broken", "en")
        with pytest.raises(RuntimeError, match="broken"):
            background.finish("broken", "en")


def test_leaving_ends_the_thread_and_drops_what_waits() -> None:
    before = active_count()
    with BackgroundTranslation(SpellingTranslator(), ("pt",)) as background:
        for number in range(100):
            background.begin(f"{number}", "en")
    assert active_count() == before
