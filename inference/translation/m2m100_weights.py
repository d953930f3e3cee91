"""M2M100 weights from a folder in the hub's layout or a hub repository."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.models.loading import ModelMissing
from inference.models.loading.component import Component, Form
from inference.models.loading.hub import HubNetwork
from inference.models.loading.strategy import load
from inference.models.torchaudio_compat import import_transformers

if TYPE_CHECKING:
    import torch

NAME = "m2m100"
ARCHITECTURE = "AutoModelForSeq2SeqLM"
"""Resolves to M2M100ForConditionalGeneration; the auto class can be built in a given dtype."""
M2M100_FILES = ("config.json", "vocab.json", "sentencepiece.bpe.model")
PROBE_TOKENS = 16

M2M100Source = str | Path
"""A folder, or a hub repository."""


def m2m100_component(source: M2M100Source) -> Component:
    """Return the network of `source`. Raises ModelMissing for a folder without one."""
    for name in M2M100_FILES:
        if Path(source).is_dir() and not (Path(source) / name).is_file():
            raise ModelMissing(f"{source} has no {name}; name a folder that holds an M2M100 model.")
    return HubNetwork(NAME, source, ARCHITECTURE, lambda target: _tokenizer(source).save_pretrained(target), _probe)


def load_m2m100(source: M2M100Source, form: Form) -> tuple[Any, Any]:
    """Return tokenizer and network, on the host.

    Raises:
        ModelMissing: the weights are neither local nor downloadable.
    """
    component = m2m100_component(source)
    try:
        loaded = load(component, form)
        return _tokenizer(loaded.folder or source), loaded.network
    except OSError as error:
        raise ModelMissing(
            f"The translation model {source} is not on this machine and could not be fetched from the hub "
            f"({type(error).__name__}); check the network, or name a folder that holds an M2M100 model."
        ) from error


def _tokenizer(source: M2M100Source) -> Any:
    return import_transformers().M2M100Tokenizer.from_pretrained(source)


def _probe(network: Any) -> torch.Tensor:
    """Return the logits of the first token for a fixed source: float32, shape (1, vocabulary)."""
    import torch

    source, first = torch.arange(4, 4 + PROBE_TOKENS)[None], torch.full((1, 1), network.config.decoder_start_token_id)
    logits: torch.Tensor = network(input_ids=source, decoder_input_ids=first).logits[:, -1]
    return logits.float()
