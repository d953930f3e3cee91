"""The worker's pool from the settings: what is wrong with the summariser costs summaries, never captions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from structlog.testing import capture_logs

from inference.models.catalog import find_model
from inference.models.fetching import ensure_model
from inference.models.residency.plan import DoesNotFit
from inference.models.torchaudio_compat import import_transformers
from meetings.device.asr import ASR
from meetings.device.diarization import SPEAKERS
from meetings.device.pool import build_pool
from meetings.device.summarization import SUMMARY
from meetings.device.translation import TRANSLATION
from meetings.environment import Environment

GIGABYTE = 1_000_000_000
CAPTIONS = [ASR, SPEAKERS, TRANSLATION]


@pytest.fixture
def environment(whisper_base: Path, models: Path, tmp_path: Path) -> Environment:
    """On a CPU, with a folder that looks like a summariser of one gigabyte; nothing is loaded."""
    ensure_model(find_model("segmentation-campplus"), models)
    (tmp_path / "config.json").write_text(json.dumps({}), encoding="utf-8")
    with (tmp_path / "model.safetensors").open("wb") as weights:
        weights.truncate(GIGABYTE)
    return replace(
        settings.ENVIRONMENT, device="cpu", asr_model=str(whisper_base), summary_model=str(tmp_path), residency="auto"
    )


def built(environment: Environment) -> tuple[list[str], list[str]]:
    """Names in the pool, and what is said of summaries."""
    with capture_logs() as said:
        pool = build_pool(environment)
    reasons = [line["error"] for line in said if line["event"] == "summaries_unavailable"]
    return [placement.name for placement in pool.placements()], reasons


def test_one_that_fits_is_in_the_pool(environment: Environment) -> None:
    assert built(replace(environment, device_budget=2 * GIGABYTE)) == ([*CAPTIONS, SUMMARY], [])


def test_one_that_can_never_fit_is_left_out_and_the_remedy_said(environment: Environment) -> None:
    names, [reason] = built(replace(environment, device_budget=GIGABYTE))
    assert names == CAPTIONS
    assert "and the budget is" in reason
    assert "choose a smaller PARLANCE_SUMMARY_MODEL" in reason


def test_one_that_is_cut_off_is_left_out_and_the_remedy_said(environment: Environment, tmp_path: Path) -> None:
    folder = tmp_path / "qwen2.5-coder-0.5b"
    folder.mkdir()
    (folder / "model.gguf").write_bytes(b"GGUF")
    names, [reason] = built(replace(environment, models=tmp_path, summary_model=folder.name))
    assert names == [ASR, TRANSLATION], "nor are the speakers' networks there"
    assert "4 bytes instead of 491,400,064" in reason
    assert "manage.py models fetch qwen2.5-coder-0.5b" in reason


def test_without_room_for_captions_nothing_starts(environment: Environment) -> None:
    with pytest.raises(DoesNotFit):
        build_pool(replace(environment, device_budget=GIGABYTE // 10))


def test_captions_do_without_speakers_and_languages(environment: Environment, tmp_path: Path) -> None:
    with capture_logs() as said:
        pool = build_pool(replace(environment, models=tmp_path, translation_model="m2m100_418M"))
    assert [placement.name for placement in pool.placements()] == [ASR, SUMMARY]
    told = {line["event"]: line["error"] for line in said if line["event"].endswith("_unavailable")}
    assert told.keys() == {"speakers_unavailable", "translation_unavailable"}
    assert all("run `manage.py models fetch" in sentence for sentence in told.values())


def test_translation_that_can_never_fit_beside_the_captions_starts_nothing(
    environment: Environment, tmp_path: Path
) -> None:
    import_transformers().M2M100Config().save_pretrained(tmp_path / "m2m100")
    chosen = replace(environment, translation_model=str(tmp_path / "m2m100"), device_budget=GIGABYTE)
    with pytest.raises(DoesNotFit, match=r"m2m100 needs 2\.\d GiB .* choose a smaller PARLANCE_TRANSLATION_MODEL"):
        build_pool(chosen)
