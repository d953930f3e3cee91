"""Record the attention of a Whisper decoder's alignment heads to the audio."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import torch

Head = tuple[int, int]
"""Decoder layer and head within it."""


@dataclass(frozen=True, slots=True)
class Attention:
    """Queries of the cross-attention in one pass; torch's fast kernels do not return attention weights."""

    network: Any
    heads: tuple[Head, ...]
    states: dict[int, torch.Tensor] = field(default_factory=dict)
    """By layer, shape (batch, tokens, width)."""

    def weights(self, row: int, cache: Any, *, frames: int) -> np.ndarray:
        """Return the weights for one text of the batch: float32, shape (heads, tokens, frames), summing to 1 per token.

        `cache` holds the keys of the audio; the first `frames` encoder positions hold audio.
        """
        import torch

        found = torch.stack([self._weights(layer, head, row, cache, frames) for layer, head in self.heads])
        weights: np.ndarray = found.float().cpu().numpy()
        return weights

    def _weights(self, layer: int, head: int, row: int, cache: Any, frames: int) -> torch.Tensor:
        attention = self.network.model.decoder.layers[layer].encoder_attn
        part = slice(head * attention.head_dim, (head + 1) * attention.head_dim)
        asked = attention.q_proj(self.states[layer][row])[:, part] * attention.scaling
        keys = cache.layers[layer].keys[row, head, :frames]
        weights: torch.Tensor = (asked @ keys.T).float().softmax(-1)
        return weights


@contextmanager
def attending(network: Any, heads: Sequence[Head]) -> Iterator[Attention]:
    """Record the inputs of the layers of `heads` while the block runs `network`."""
    attention = Attention(network, tuple(heads))

    def note(layer: int) -> Any:
        def hook(_: object, positional: tuple[Any, ...], named: dict[str, Any]) -> None:
            attention.states[layer] = named.get("hidden_states", positional[0] if positional else None)

        return hook

    layers = network.model.decoder.layers
    hooks = [
        layers[layer].encoder_attn.register_forward_pre_hook(note(layer), with_kwargs=True)
        for layer in {layer for layer, _ in heads}
    ]
    try:
        yield attention
    finally:
        for hook in hooks:
            hook.remove()


def alignment_heads(network: Any) -> tuple[Head, ...]:
    """Return the publisher's heads, else all of the later half of the layers, as OpenAI's `whisper` does."""
    named = getattr(network.generation_config, "alignment_heads", None)
    if named:
        return tuple((int(layer), int(head)) for layer, head in named)
    config = network.config
    later = range(config.decoder_layers // 2, config.decoder_layers)
    return tuple((layer, head) for layer in later for head in range(config.decoder_attention_heads))
