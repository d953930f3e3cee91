"""Small networks of every kind that has to move: the real classes with random weights, and the odd ones."""

from __future__ import annotations

from typing import Any

import torch

from inference.models.torchaudio_compat import import_transformers


def language_model(*, layers: int = 2, width: int = 64, tied: bool = True) -> Any:
    """A Qwen2, the architecture of the summarisers, with random weights; a mebibyte for the default size."""
    transformers = import_transformers()
    torch.manual_seed(7)
    config = transformers.Qwen2Config(
        vocab_size=512,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=tied,
        bos_token_id=0,
        eos_token_id=1,
    )
    return transformers.AutoModelForCausalLM.from_config(config).eval()


def written(model: Any, tokens: int = 8) -> list[int]:
    """What the language model writes after a fixed prompt, greedily; no end is looked for."""
    prompt = torch.arange(5, 17, device=model.device)[None]
    with torch.inference_mode():
        answer = model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            do_sample=False,
            max_new_tokens=tokens,
            min_new_tokens=tokens,
        )
    return [int(token) for token in answer[0, prompt.shape[1] :]]


class EightBitLinear(torch.nn.Module):
    """A linear layer with int8 weights and a scale a row, as weight-only quantization stores it."""

    def __init__(self, layer: torch.nn.Linear) -> None:
        super().__init__()
        scale = layer.weight.detach().abs().amax(dim=1, keepdim=True) / 127
        self.register_buffer("weight", (layer.weight.detach() / scale).round().to(torch.int8))
        self.register_buffer("scale", scale.to(torch.bfloat16))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values @ (self.weight.float() * self.scale.float()).T


class QuantState:
    """Where bitsandbytes keeps what a packed weight means: a plain object on the parameter."""

    def __init__(self, scales: torch.Tensor) -> None:
        self.absmax = scales


class PackedLinear(torch.nn.Module):
    """A linear layer laid out like bitsandbytes': the packed weight twice under two names, its state in attributes."""

    def __init__(self, layer: torch.nn.Linear) -> None:
        super().__init__()
        small = EightBitLinear(layer)
        self.weight = torch.nn.Parameter(small.weight, requires_grad=False)
        self.weight.CB = self.weight.data  # type: ignore[attr-defined]
        self.weight.quant_state = QuantState(small.scale)  # type: ignore[attr-defined]

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        state = self.weight.quant_state  # type: ignore[attr-defined]
        return values @ (self.weight.CB.float() * state.absmax.float()).T  # type: ignore[attr-defined]


class Oddities(torch.nn.Module):
    """Tied, overlapping, transposed, scalar, empty, half-width and hidden tensors in one network."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        both = torch.randn(24, 8)
        self.first = torch.nn.Parameter(both[:16])
        self.second = torch.nn.Parameter(both[8:])
        self.turned = torch.nn.Parameter(torch.randn(8, 4).T)
        self.linear = torch.nn.Linear(8, 8)
        self.again = torch.nn.Linear(8, 8)
        self.again.weight = self.linear.weight
        self.eight = EightBitLinear(torch.nn.Linear(8, 8))
        self.packed = PackedLinear(torch.nn.Linear(8, 8))
        self.normed = torch.nn.BatchNorm1d(8)
        self.register_buffer("nothing", torch.zeros(0))
        self.register_buffer("unsaved", torch.randn(8).half(), persistent=False)
        self.hidden = {"steps": [torch.arange(8)]}

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        values = self.normed(self.again(self.linear(values)))
        values = self.packed(self.eight(values)) + self.unsaved.float() + self.hidden["steps"][0]
        return values @ self.first.T @ self.second[:, :4] @ self.turned


def answers(network: Oddities) -> torch.Tensor:
    """For fixed values: float32, shape (3, 8)."""
    with torch.inference_mode():
        return network.eval()(torch.linspace(-1, 1, 24, device=network.first.device).view(3, 8)).cpu()
