from __future__ import annotations

from dataclasses import fields

import pytest

from inference.models.optimization.flags import (
    AUTO,
    EVERYTHING_OFF,
    FLAGS,
    INFERENCE_MODE,
    PRECISION,
    Component,
    DeviceKind,
    Flag,
    Tuning,
    UnknownChoice,
    tune,
)

KINDS: tuple[DeviceKind, ...] = ("cpu", "cuda")


@pytest.mark.parametrize("flag", FLAGS, ids=lambda flag: flag.name)
def test_every_flag_has_a_reason_for_each_kind_of_device_and_a_way_without(flag: Flag) -> None:
    assert set(flag.reasons) == set(KINDS)
    assert flag.fallback
    assert set(flag.applies) <= set(KINDS)
    assert all(choice in flag.choices for choice in flag.defaults.values())
    assert all(component in flag.applies[kind] for kind, component in flag.defaults)


def test_every_flag_is_in_a_tuning() -> None:
    assert {flag.name for flag in FLAGS} == {field.name for field in fields(Tuning)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("component", list(Component))
def test_everything_can_be_off(component: Component, kind: DeviceKind) -> None:
    off = tune(component, kind, EVERYTHING_OFF)
    assert off == Tuning(False, "", "float32", False, False, False, False, False)


@pytest.mark.parametrize("component", list(Component))
def test_on_a_cpu_little_is_on_by_itself(component: Component) -> None:
    """What else was measured: tests/benchmarks/test_optimizations.py."""
    last = component is Component.WESPEAKER
    assert tune(component, "cpu", {}) == Tuning(True, "", "float32", False, False, last, False, False)


def test_the_writers_have_half_precision_on_a_gpu() -> None:
    assert tune(Component.TRANSLATION, "cuda", {}).precision == "float16"
    assert tune(Component.SUMMARY, "cuda", {}).precision == "bfloat16"
    assert tune(Component.SUMMARY, "cuda", {"precision": "float32"}).precision == "float32"


def test_a_flag_does_not_reach_what_it_cannot_apply_to() -> None:
    wishes = {flag.name: flag.choices[1] for flag in FLAGS}
    segmentation = tune(Component.SEGMENTATION, "cpu", wishes)
    assert not segmentation.channels_last
    assert segmentation.precision == "float32"
    assert segmentation.autocast == "bfloat16"
    assert not segmentation.tf32
    assert tune(Component.CAMPPLUS, "cpu", wishes).channels_last


def test_a_choice_that_there_is_not_is_refused_with_a_sentence() -> None:
    with pytest.raises(UnknownChoice, match=r"^The flag precision is 'int8'; use one of: auto, float32, bfloat16, "):
        PRECISION.check("int8")
    with pytest.raises(UnknownChoice, match="The flag inference_mode is 'yes'"):
        tune(Component.SUMMARY, "cpu", {"inference_mode": "yes"})
    assert INFERENCE_MODE.check(AUTO) == AUTO
