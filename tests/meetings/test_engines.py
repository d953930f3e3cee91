from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings

from inference.audio import decode_file
from inference.catalog import find_model
from inference.diarization.segmentation import WINDOW
from inference.fetching import ensure_model
from inference.loading import ModelMissing
from inference.translation.bergamot import BergamotTranslator
from inference.translation.translator import Translation, TranslationRequest
from meetings.engines import load_listener, load_translator
from meetings.environment import Environment
from meetings.offers import offered_targets


@pytest.fixture
def environment() -> Environment:
    return settings.ENVIRONMENT


def test_the_starter_translator_keeps_what_is_offered(environment: Environment) -> None:
    translator = load_translator(environment)
    assert isinstance(translator, BergamotTranslator)
    assert {source: translator.targets(source) for source in ("en", "pt", "es")} == {
        source: offered_targets(environment, source) for source in ("en", "pt", "es")
    }
    assert translator.translate([TranslationRequest("Good morning.", "en", "pt")]) == [Translation("Bom dia.", True)]


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        ("m2m100_418M", r"run `manage\.py models fetch m2m100_418M`"),
        ("/nowhere/model", r"There is no folder /nowhere/model; let PARLANCE_TRANSLATION_MODEL name one"),
    ],
)
def test_a_translation_model_that_is_not_here_is_named_with_the_remedy(
    environment: Environment, tmp_path: Path, chosen: str, sentence: str
) -> None:
    with pytest.raises(ModelMissing, match=sentence):
        load_translator(replace(environment, models=tmp_path, translation_model=chosen))


def test_the_listener_hears_a_voice(environment: Environment, speech: Path) -> None:
    ensure_model(find_model("segmentation-campplus"), environment.models)
    audio = next(decode_file(speech / "lobster_24s.flac", block=WINDOW))
    assert any(voice.print is not None for voice in load_listener(environment).listen(audio))


def test_voice_models_that_are_not_here_are_named_with_the_remedy(environment: Environment, tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"run `manage\.py models fetch segmentation-campplus`"):
        load_listener(replace(environment, models=tmp_path))
