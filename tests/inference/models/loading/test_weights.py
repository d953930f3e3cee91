"""Networks that are built to be given weights are built without drawing any."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from inference.diarization.campplus import CamPlusPlus
from inference.models.loading.weights import without_initialisation
from inference.models.torchaudio_compat import import_transformers

SMALL = {"d_model": 8, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2}
SMALL |= {"decoder_attention_heads": 2, "encoder_ffn_dim": 8, "decoder_ffn_dim": 8}


def whisper() -> nn.Module:
    transformers = import_transformers()
    return transformers.WhisperForConditionalGeneration(transformers.WhisperConfig(vocab_size=60_000, **SMALL))


def m2m100() -> nn.Module:
    transformers = import_transformers()
    return transformers.AutoModelForSeq2SeqLM.from_config(transformers.M2M100Config(vocab_size=100, **SMALL))


def chat() -> nn.Module:
    transformers = import_transformers()
    config = transformers.Qwen2Config(
        vocab_size=100, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2
    )
    return transformers.AutoModelForCausalLM.from_config(config)


def plain() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 4), nn.Conv1d(4, 4, 1), nn.LSTM(4, 4), nn.Embedding(4, 4))


@pytest.mark.parametrize("build", [plain, CamPlusPlus, whisper, m2m100, chat])
def test_nothing_is_drawn_and_constants_are_computed(build: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    network = without_initialisation(build)
    assert torch.equal(torch.get_rng_state(), before)
    drawn = build()
    assert not torch.equal(torch.get_rng_state(), before)
    buffers = dict(network.named_buffers())
    assert all(torch.equal(buffers[name], buffer) for name, buffer in drawn.named_buffers())
    assert not any(parameter.is_inference() for parameter in network.parameters())
