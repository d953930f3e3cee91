"""The worker's pool from the settings: what is wrong with the summariser costs summaries, never captions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from structlog.testing import capture_logs

from inference.residency.plan import DoesNotFit
from meetings.environment import Environment
from meetings.recognizing import ASR
from meetings.stack import SUMMARY, build_pool

GIGABYTE = 1_000_000_000


@pytest.fixture
def environment(whisper_base: Path, tmp_path: Path) -> Environment:
    """On a CPU, with a folder that looks like a summariser of one gigabyte; nothing is loaded."""
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
    assert built(replace(environment, device_budget=2 * GIGABYTE)) == ([ASR, SUMMARY], [])


def test_one_that_can_never_fit_is_left_out_and_the_remedy_said(environment: Environment) -> None:
    names, [reason] = built(replace(environment, device_budget=GIGABYTE))
    assert names == [ASR]
    assert "and the budget is" in reason
    assert reason.endswith("choose a smaller PARLANCE_SUMMARY_MODEL.")


def test_one_that_is_cut_off_is_left_out_and_the_remedy_said(environment: Environment, tmp_path: Path) -> None:
    folder = tmp_path / "qwen2.5-coder-0.5b"
    folder.mkdir()
    (folder / "model.gguf").write_bytes(b"GGUF")
    names, [reason] = built(replace(environment, models=tmp_path, summary_model=folder.name))
    assert names == [ASR]
    assert "4 bytes instead of 491,400,064" in reason
    assert "manage.py models fetch qwen2.5-coder-0.5b" in reason


def test_without_room_for_captions_nothing_starts(environment: Environment) -> None:
    with pytest.raises(DoesNotFit):
        build_pool(replace(environment, device_budget=GIGABYTE // 10))
