"""A real network of a few weights, as the loader sees one: tied weights, a stored buffer, and one that is computed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from inference.models.loading.component import Form, NotMappable
from inference.models.loading.weights import assign, without_initialisation

SOURCE = "weights.pt"
WIDTH = 8


class TinyNetwork(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(5, width)
        self.head = nn.Linear(width, 5, bias=False)
        self.head.weight = self.embedding.weight
        self.register_buffer("stored", torch.zeros(width))
        self.register_buffer("computed", torch.arange(width) / width, persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.head(self.embedding(tokens) + self.stored + self.computed.to(self.stored.dtype))
        return logits


@dataclass(frozen=True)
class TinyComponent:
    """`inference.models.loading.component.Component`; reads and maps a state that torch has pickled."""

    folder: Path
    name: str = "tiny"
    is_mappable: bool = True

    @property
    def sources(self) -> tuple[Path, ...]:
        return (self.folder / SOURCE,)

    def read(self, form: Form) -> TinyNetwork:
        network = TinyNetwork(WIDTH)
        network.load_state_dict(torch.load(self.folder / SOURCE, weights_only=True))
        return network.to(getattr(torch, form.dtype)).eval()

    def map(self, form: Form) -> TinyNetwork:
        if not self.is_mappable:
            raise NotMappable("its weights are packed")
        state = torch.load(self.folder / SOURCE, weights_only=True, mmap=True)
        network = without_initialisation(lambda: TinyNetwork(WIDTH))
        assign(network, state, {})
        return network.to(getattr(torch, form.dtype)).eval()

    def write_settings(self, network: TinyNetwork, folder: Path) -> None:
        (folder / "config.json").write_text(json.dumps({"width": WIDTH}))
        (folder / "tokenizer.json").write_text(json.dumps({"a": 0}))

    def build(self, folder: Path) -> TinyNetwork:
        width = json.loads((folder / "config.json").read_text())["width"]
        return without_initialisation(lambda: TinyNetwork(width))

    def probe(self, network: TinyNetwork) -> Tensor:
        with torch.inference_mode():
            return network(torch.arange(5)).float()


def make(folder: Path, *, seed: int = 0) -> TinyComponent:
    """Writes the publisher's file."""
    torch.manual_seed(seed)
    network = TinyNetwork(WIDTH)
    network.stored.normal_()
    torch.save(network.state_dict(), folder / SOURCE)
    return TinyComponent(folder)
