from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings

from inference.models.device import CPU, Device
from inference.models.loading import ModelMissing
from inference.models.residency.plan import Group
from inference.translation.bergamot import BergamotTranslator
from inference.translation.translator import Translation, TranslationRequest
from meetings.device.translation import load_translator, translation_member
from meetings.environment import Environment
from meetings.offers import offered_targets
from tests.inference.translation import tiny_m2m100

GREETING = TranslationRequest("Good morning.", "en", "pt")


@pytest.fixture
def environment() -> Environment:
    environment: Environment = settings.ENVIRONMENT
    return environment


def test_the_starter_translator_keeps_what_is_offered(environment: Environment) -> None:
    translator = load_translator(environment)
    assert isinstance(translator, BergamotTranslator)
    assert {source: translator.targets(source) for source in ("en", "pt", "es")} == {
        source: offered_targets(environment, source) for source in ("en", "pt", "es")
    }
    assert translator.translate([GREETING]) == [Translation("Bom dia.", True)]


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        ("m2m100_418M", r"run `manage\.py models fetch m2m100_418M`"),
        ("/nowhere/model", r"There is no folder /nowhere/model; let PARLANCE_TRANSLATION_MODEL name one"),
    ],
)
def test_a_model_that_is_not_here_is_named_with_the_remedy(
    environment: Environment, tmp_path: Path, chosen: str, sentence: str
) -> None:
    with pytest.raises(ModelMissing, match=sentence):
        load_translator(replace(environment, models=tmp_path, translation_model=chosen))


def test_m2m100_leaves_the_device_and_says_the_same_afterwards(environment: Environment, tmp_path: Path) -> None:
    tiny_m2m100.build(tmp_path)
    member = translation_member(replace(environment, translation_model=str(tmp_path), data=tmp_path), CPU)
    member.resident.load()
    translator = member.resident.model
    before = translator.translate([GREETING])  # type: ignore[attr-defined]
    member.resident.sleep()
    assert {weight.numel() for weight in translator.model.parameters()} == {0}  # type: ignore[attr-defined]
    member.resident.wake()
    member.resident.warm_up()
    assert translator.translate([GREETING]) == before  # type: ignore[attr-defined]
    assert member.resident.weights == pytest.approx(member.need.size.weights, rel=0.01), "as it was planned"


def test_starter_models_stay_and_take_their_turn(environment: Environment) -> None:
    on_gpu, on_cpu = (translation_member(environment, device) for device in (Device("cuda", 0), CPU))
    assert (on_gpu.need.group, on_gpu.need.size.total) == (Group.TRANSCRIPTION, 0)
    assert on_cpu.need.size.total > 10_000_000
