from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings

from inference.audio import decode_file
from inference.diarization.segmentation import SEGMENTATION_WINDOW
from inference.models.catalog import find_model
from inference.models.device import CPU, Device
from inference.models.fetching import ensure_model
from inference.models.loading import ModelMissing
from inference.models.residency.plan import Group
from meetings.device.diarization import load_listener, speakers_member
from meetings.environment import Environment


@pytest.fixture
def environment(models: Path) -> Environment:
    ensure_model(find_model("segmentation-campplus"), models)
    environment: Environment = settings.ENVIRONMENT
    return environment


def test_the_listener_hears_a_voice(environment: Environment, speech: Path) -> None:
    audio = next(decode_file(speech / "lobster_24s.flac", block=SEGMENTATION_WINDOW))
    assert any(voice.print is not None for voice in load_listener(environment).listen(audio))


def test_networks_that_are_not_here_are_named_with_the_remedy(environment: Environment, tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"run `manage\.py models fetch segmentation-campplus`"):
        load_listener(replace(environment, models=tmp_path))


def test_voices_are_the_same_after_the_networks_were_away(
    environment: Environment, speech: Path, tmp_path: Path
) -> None:
    member = speakers_member(replace(environment, data=tmp_path), CPU)
    member.resident.load()
    audio = next(decode_file(speech / "lobster_24s.flac", block=SEGMENTATION_WINDOW))
    listener = member.resident.model
    before = listener.listen(audio)  # type: ignore[attr-defined]
    member.resident.sleep()
    networks = listener._segmenter._model, listener._embedder._model  # type: ignore[attr-defined]
    assert {weight.numel() for network in networks for weight in network.parameters()} == {0}
    member.resident.wake()
    member.resident.warm_up()
    after = listener.listen(audio)  # type: ignore[attr-defined]
    assert [voice.active.tolist() for voice in after] == [voice.active.tolist() for voice in before]
    for one, other in zip(before, after, strict=True):
        assert (one.print is None) == (other.print is None)
        assert one.print is None or float(one.print @ other.print) == pytest.approx(1.0, abs=1e-5)


def test_the_starter_networks_take_nothing_of_a_gpu(environment: Environment) -> None:
    member = speakers_member(environment, Device("cuda", 0))
    assert (member.need.group, member.need.size.total, member.is_deferred) == (Group.TRANSCRIPTION, 0, True)
    assert speakers_member(environment, CPU).need.size.weights > 30_000_000
