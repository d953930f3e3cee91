from __future__ import annotations

import re
from typing import get_args

import pytest

from inference.models.catalog import (
    MODELS,
    HubRepository,
    Profile,
    Stage,
    UnknownModel,
    Wheels,
    default_model,
    find_model,
    profile_models,
)


def test_names_are_unique() -> None:
    assert len({model.name for model in MODELS}) == len(MODELS)


@pytest.mark.parametrize("profile", get_args(Profile))
def test_every_profile_has_a_model_for_speech(profile: Profile) -> None:
    assert default_model(profile, "asr").profile == profile


@pytest.mark.parametrize("profile", get_args(Profile))
@pytest.mark.parametrize("stage", get_args(Stage))
def test_a_profile_has_at_most_one_model_a_stage_unless_another_is_named(profile: Profile, stage: Stage) -> None:
    assert sum(model.stage == stage for model in profile_models(profile)) <= 1


def test_the_gpu_profile_has_a_model_for_every_stage() -> None:
    assert {stage: default_model("gpu", stage).name for stage in get_args(Stage)} == {
        "asr": "whisper-large-v3-turbo",
        "speakers": "speaker-diarization-community-1",
        "translation": "m2m100_1.2B",
        "summary": "qwen2.5-7b-instruct",
    }
    assert find_model("m2m100_418M") not in profile_models("gpu")


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_every_file_from_wheels_is_pinned_by_content_and_every_wheel_by_version(model) -> None:
    if isinstance(model.source, HubRepository):
        assert model.size is None
        return
    assert isinstance(model.source, Wheels)
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9.]+", requirement) for requirement in model.source.requirements)
    assert all(file.parts and file.size and re.fullmatch(r"[0-9a-f]{64}", file.sha256 or "") for file in model.files)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownModel, match=r"'whisper-huge'; the catalogue has whisper-base, "):
        find_model("whisper-huge")
