"""The GPU's swap benchmark, run for real with small networks of the same classes on the CPU."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from benchmarks.residency_gpu import FULL_SIZE, measure, run
from inference.models.device import CPU, NoSuchDevice

SMALL = {
    "vocab_size": 128,
    "d_model": 16,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_source_positions": 8,
    "decoder_start_token_id": 3,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
}


def test_every_figure_is_made() -> None:
    small = tuple(replace(full, values={**full.values, **SMALL}, dtype="float32") for full in FULL_SIZE)
    figures = json.loads(json.dumps(measure(small, CPU, 2)))
    assert figures["swap"]["cycles"] == 2
    assert {"sleep", "release", "wake", "warm-up"} <= figures["swap"]["to_transcription"]["steps_s"].keys()
    assert figures["one_model"].keys() == {"model", "gib", "pinned", "pageable", "to"}
    assert figures["one_model"]["pageable"]["in_gb_per_s"] > 0.0


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so() -> None:
    with pytest.raises(NoSuchDevice, match="needs a GPU"):
        run()
