"""Defaults of the flags against the figures that they rest on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.optimizations import ON_CPU, table
from inference.models.optimization.flags import FLAGS, INFERENCE_MODE, Component, Flag

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "optimizations.json"
JUDGED = [(flag, choice, component) for flag, choice, _ in ON_CPU for component in sorted(flag.applies["cpu"])]
HARMLESS = 0.95
"""Least ratio of what is on by promise: not slower, but for what the cores' other work does to figures."""


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))["figures"]
    return found


def rows(figures: dict[str, Any], flag: Flag, component: Component) -> list[dict[str, Any]]:
    return [row for row in figures["flags"] if (row["flag"], row["component"]) == (flag.name, component)]


@pytest.mark.parametrize(
    ("flag", "choice", "component"), JUDGED, ids=[f"{flag.name}-{component}" for flag, _, component in JUDGED]
)
def test_a_default_rests_on_a_measurement(
    flag: Flag, choice: str, component: Component, figures: dict[str, Any]
) -> None:
    (row,) = rows(figures, flag, component)
    assert row["choice"] == choice
    if flag is INFERENCE_MODE:
        assert row["agrees"]
        assert row["speedup"] >= HARMLESS
    else:
        assert flag.resolve(component, "cpu") == (choice if row["pays"] else flag.off)


def test_what_was_proposed_is_what_is_set(figures: dict[str, Any]) -> None:
    defaults = {
        flag.name: {component: flag.resolve(component, "cpu") for component in sorted(flag.applies.get("cpu", ()))}
        for flag in FLAGS
    }
    assert figures["proposed"] == defaults


def test_every_flag_that_can_apply_on_a_cpu_is_judged() -> None:
    assert {flag.name for flag, _, _ in JUDGED} == {flag.name for flag in FLAGS if flag.applies.get("cpu")}


def test_accuracy_is_unchanged(figures: dict[str, Any]) -> None:
    assert figures["whole_pipeline"]["same_captions_speakers_and_translations"]
    assert figures["generate"]["same_text"]


def test_the_table_has_a_line_for_each_row(figures: dict[str, Any]) -> None:
    lines = table(figures).splitlines()
    assert len(lines) == len(figures["flags"]) + 1
    assert lines[0].split() == ["flag", "network", "without", "with", "ratio", "apart", "verdict"]
