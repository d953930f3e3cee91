"""Sizes known before loading, compared with what is really loaded, and with what publishers say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from inference.models.loading import ModelCorrupt, ModelMissing
from inference.models.residency.layout import plan_layout
from inference.models.residency.plan import GIB
from inference.models.residency.sizes import broken_rows, file_bytes, planned_bytes, safetensors_bytes
from inference.models.torchaudio_compat import import_transformers
from tests.inference.models.residency.networks import language_model

QWEN_7B = {
    "vocab_size": 152_064,
    "hidden_size": 3584,
    "intermediate_size": 18_944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "tie_word_embeddings": False,
}
"""config.json of Qwen/Qwen2.5-7B-Instruct."""
QWEN_7B_BYTES = 15_231_233_024
"""`total_size` in its model.safetensors.index.json."""


def test_a_7b_is_planned_to_the_byte_without_loading_it() -> None:
    config = import_transformers().Qwen2Config(**QWEN_7B)
    buffers = 2 * 64 * 2  # rotary frequencies, twice, which the file does not hold
    assert planned_bytes(config) == QWEN_7B_BYTES + buffers


def test_planning_first_leaves_no_module_on_the_meta_device() -> None:
    program = (
        "from transformers import Qwen2Config\n"
        "from inference.models.residency.sizes import planned_bytes\n"
        "planned_bytes(Qwen2Config(num_hidden_layers=1))\n"
        "from torchaudio.compliance import kaldi\n"
        "print(kaldi.EPSILON.device)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout == "cpu\n"


def test_quantized_forms_are_planned_smaller() -> None:
    config = import_transformers().Qwen2Config(**QWEN_7B)
    eight, four = (planned_bytes(config, bits=bits) / GIB for bits in (8, 4))
    assert eight == pytest.approx(8.1, abs=0.1)
    assert four == pytest.approx(5.2, abs=0.1)


def test_rows_that_no_whole_blocks_of_four_bits_make_are_found() -> None:
    odd = import_transformers().Qwen2Config(**QWEN_7B | {"intermediate_size": 18_976})
    assert broken_rows(odd) == [18_976]
    assert broken_rows(import_transformers().Qwen2Config(**QWEN_7B)) == []


@pytest.mark.parametrize("tied", [True, False])
def test_the_plan_is_what_is_loaded(tied: bool) -> None:
    model = language_model(tied=tied)
    _, spans = plan_layout([model])
    assert planned_bytes(model.config, bits=32) == sum(len(span.source) for span in spans)


def test_safetensors_are_measured_by_their_header(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"a": torch.zeros(3, 5), "b": torch.zeros(7, dtype=torch.int8)}, path, metadata={"format": "pt"})
    assert safetensors_bytes(path) == 3 * 5 * 4 + 7
    assert safetensors_bytes(path, bits=16) == (3 * 5 + 7) * 2


@pytest.mark.parametrize("content", [b"", b"\x05", b"\xff" * 64, b"\x04" + bytes(7) + b"{]}!"])
def test_a_file_that_is_no_safetensors_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelCorrupt, match=r"model\.safetensors is no safetensors file"):
        safetensors_bytes(path)


def test_a_folder_that_holds_weights_twice_counts_one_kind(tmp_path: Path) -> None:
    (tmp_path / "model-1.safetensors").write_bytes(bytes(100))
    (tmp_path / "model-2.safetensors").write_bytes(bytes(50))
    (tmp_path / "pytorch_model.bin").write_bytes(bytes(150))
    assert file_bytes(tmp_path) == 150
    assert file_bytes(tmp_path / "model-2.safetensors") == 50


def test_a_folder_without_weights_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="holds no weights"):
        file_bytes(tmp_path)
