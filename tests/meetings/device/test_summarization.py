from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings

from inference.models.device import CPU, Device
from inference.models.residency.plan import Group
from inference.models.torchaudio_compat import import_transformers
from inference.summarization.chat_weights import QuantizationMissing, RowsDoNotFit
from meetings.device import summarization
from meetings.device.summarization import SUMMARY_WORKING_BYTES, summary_member
from meetings.environment import Environment

GPU = Device("cuda", 0)
GIB = 2**30


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """A summariser with the shape of Qwen2.5-7B, of which there is nothing but the description."""
    config = import_transformers().Qwen2Config(
        vocab_size=152_064,
        hidden_size=3584,
        intermediate_size=18_944,
        num_hidden_layers=28,
        num_attention_heads=28,
        num_key_value_heads=4,
        tie_word_embeddings=False,
    )
    folder = tmp_path / "Qwen2.5-7B-Instruct"
    config.save_pretrained(folder)
    with (folder / "model.safetensors").open("wb") as weights:
        weights.truncate(15_231_233_024)  # sparse: as long as the publisher's files together
    return replace(settings.ENVIRONMENT, summary_model=str(folder), data=tmp_path)


def chosen(environment: Environment, device: Device, budget: float) -> tuple[str, int]:
    """Name and bytes of the weights."""
    member = summary_member(environment, device, budget=round(budget))
    assert (member.need.group, member.need.size.working) == (Group.SUMMARIZATION, SUMMARY_WORKING_BYTES)
    return member.need.label, member.need.size.weights


@pytest.mark.parametrize(
    ("budget", "label", "size"),
    [
        (40 * GIB, "Qwen2.5-7B-Instruct", 15.2e9),
        (14 * GIB, "Qwen2.5-7B-Instruct in 8 bits", 8.7e9),
        (7 * GIB, "Qwen2.5-7B-Instruct in 4 bits", 5.6e9),
        (4 * GIB, "Qwen2.5-7B-Instruct", 15.2e9),
    ],
)
def test_on_a_gpu_it_keeps_as_many_bits_as_fit(
    environment: Environment, budget: float, label: str, size: float
) -> None:
    """The second line is a 16 GB card; in the last nothing fits, and the plan will say so."""
    found = chosen(environment, GPU, budget)
    assert found == (label, pytest.approx(size, rel=0.02))


def test_without_the_package_all_bits_stay(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summarization, "can_quantize", lambda: False)
    member = summary_member(environment, GPU, budget=14 * GIB)
    assert member.need.label == "Qwen2.5-7B-Instruct"
    assert member.need.remedy.endswith("or install bitsandbytes and let PARLANCE_SUMMARY_BITS be 4")


def test_what_is_set_is_done(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(replace(environment, summary_bits="4"), CPU, 40 * GIB)[0].endswith("in 4 bits")
    assert chosen(replace(environment, summary_bits="16"), GPU, 14 * GIB)[0] == "Qwen2.5-7B-Instruct"
    monkeypatch.setattr("inference.summarization.chat_weights.can_quantize", lambda: False)
    with pytest.raises(QuantizationMissing, match="let PARLANCE_SUMMARY_BITS be 16"):
        chosen(replace(environment, summary_bits="8"), GPU, 40 * GIB)


def test_on_a_cpu_nothing_is_packed_unasked(environment: Environment) -> None:
    assert chosen(environment, CPU, 4 * GIB)[0] == "Qwen2.5-7B-Instruct"


def test_four_bits_on_a_cpu_are_for_rows_of_whole_blocks(environment: Environment) -> None:
    chosen = replace(environment, summary_bits="4")
    settings = Path(environment.summary_model) / "config.json"
    settings.write_text(settings.read_text(encoding="utf-8").replace("18944", "18976"), encoding="utf-8")
    with pytest.raises(RowsDoNotFit, match=r"Instruct cannot be kept in 4 bits on a CPU: it has rows of 18976"):
        summary_member(chosen, CPU, budget=40 * GIB)
    assert summary_member(chosen, GPU, budget=40 * GIB).need.label.endswith("in 4 bits")
