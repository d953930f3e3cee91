"""Load Whisper as a transformers network, from the hub's layout or from a CTranslate2 model.

CTranslate2's converter only renames and concatenates weights, so in float16 or float32 the conversion can be reversed
exactly. For example, `linear_0` of self-attention is query, key and value concatenated
(`ctranslate2/converters/transformers.py`, WhisperLoader). Whisper's keys have no bias; CTranslate2 stores zeros.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from inference.models.loading import ModelCorrupt, ModelMissing
from inference.models.loading.component import Component, Form
from inference.models.loading.hub import HubNetwork
from inference.models.loading.weights import assign, without_initialisation
from inference.models.torchaudio_compat import import_transformers
from inference.speech.ctranslate2_file import read_ctranslate2

if TYPE_CHECKING:
    import torch

NAME = "whisper"
ARCHITECTURE = "WhisperForConditionalGeneration"
TOKENIZER = "tokenizer.json"
CONVERTED = "model.bin"
TIED = {"proj_out.weight": "model.decoder.embed_tokens.weight"}
PROBE_FRAMES = 3_000

Arrays = dict[str, np.ndarray]


def whisper_component(folder: Path) -> Component:
    """Return the network in `folder`. Raises ModelMissing if there are no weights or no tokenizer."""
    if not (folder / TOKENIZER).is_file():
        raise ModelMissing(f"{folder} has no {TOKENIZER}; name a folder with a whole Whisper model.")
    if any(folder.glob("*.safetensors")) or any(folder.glob("pytorch_model*.bin")):
        return HubNetwork(NAME, folder, ARCHITECTURE, lambda target: _write_processor(folder, target), probe_whisper)
    if (folder / CONVERTED).is_file():
        return CTranslate2Whisper(folder)
    raise ModelMissing(f"{folder} has neither safetensors nor {CONVERTED}; name a folder with a Whisper model.")


@dataclass(frozen=True, slots=True)
class CTranslate2Whisper:
    """`Component` that reverses CTranslate2's conversion."""

    folder: Path
    name = NAME

    @property
    def sources(self) -> tuple[Path, ...]:
        return self.folder / CONVERTED, self.folder / "config.json"

    def read(self, form: Form) -> Any:
        """Load into separate memory. Raises ModelCorrupt if the weights are not Whisper's."""
        return self._load(form, copies=True)

    def map(self, form: Form) -> Any:
        """Like `read`, but weights that already have the requested dtype stay in the file."""
        return self._load(form, copies=False)

    def write_settings(self, network: Any, folder: Path) -> None:
        network.config.save_pretrained(folder)
        network.generation_config.save_pretrained(folder)
        _write_processor(self.folder, folder)

    def build(self, folder: Path) -> Any:
        return HubNetwork(NAME, folder, ARCHITECTURE, lambda _: None, probe_whisper).build(folder)

    def probe(self, network: Any) -> torch.Tensor:
        return probe_whisper(network)

    def _load(self, form: Form, *, copies: bool) -> Any:
        import torch

        file = read_ctranslate2(self.folder / CONVERTED)
        if file.specification != "WhisperSpec":
            raise ModelCorrupt(f"{self.folder / CONVERTED} is a {file.specification}, not a Whisper model.")
        dtype = getattr(torch, form.dtype)
        try:
            network = without_initialisation(lambda: _empty(file.variables, self.folder))
            arrays = dict(_rename(file.variables))
            assign(network, {name: _tensor(array, dtype, copies=copies) for name, array in arrays.items()}, TIED)
        except (KeyError, IndexError, RuntimeError) as error:
            raise ModelCorrupt(f"{self.folder / CONVERTED} does not hold the weights of Whisper: {error}") from error
        network.config.dtype = dtype
        return network.eval()


def _tensor(array: np.ndarray, dtype: torch.dtype, *, copies: bool) -> torch.Tensor:
    """Accepts float16 and float32 only: 8-bit conversion stores scales elsewhere and is lossy."""
    import torch

    if array.dtype not in (np.float16, np.float32):
        raise RuntimeError(f"its weights are {array.dtype}; convert it with float16 or float32")
    whole = np.array(array) if copies or not array.flags.aligned else array
    return torch.from_numpy(whole).to(dtype).contiguous()


def _empty(variables: Arrays, folder: Path) -> Any:
    """Return the network with the shapes of the weights and the generation settings of CTranslate2's configuration."""
    transformers = import_transformers()
    vocabulary, width = variables["decoder/embeddings/weight"].shape
    config = transformers.WhisperConfig(
        vocab_size=vocabulary,
        d_model=width,
        num_mel_bins=variables["encoder/conv1/weight"].shape[1],
        encoder_layers=_layers(variables, "encoder"),
        decoder_layers=_layers(variables, "decoder"),
        encoder_attention_heads=int(variables["encoder/num_heads"]),
        decoder_attention_heads=int(variables["decoder/num_heads"]),
        encoder_ffn_dim=len(variables["encoder/layer_0/ffn/linear_0/bias"]),
        decoder_ffn_dim=len(variables["decoder/layer_0/ffn/linear_0/bias"]),
        max_source_positions=len(variables["encoder/position_encodings/encodings"]),
        max_target_positions=len(variables["decoder/position_encodings/encodings"]),
    )
    network = getattr(transformers, ARCHITECTURE)(config)
    published = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    network.generation_config = transformers.GenerationConfig(alignment_heads=published.get("alignment_heads"))
    return network


def _layers(variables: Arrays, side: str) -> int:
    numbers = {name.split("/")[1] for name in variables if name.startswith(f"{side}/layer_")}
    return len(numbers - {"layer_norm"})


def _rename(variables: Arrays) -> Iterator[tuple[str, np.ndarray]]:
    """Yield names and arrays as in transformers."""
    for convolution in ("conv1", "conv2"):
        yield from _linear(variables, f"encoder/{convolution}", f"model.encoder.{convolution}")
    yield "model.decoder.embed_tokens.weight", variables["decoder/embeddings/weight"]
    for side in ("encoder", "decoder"):
        yield f"model.{side}.embed_positions.weight", variables[f"{side}/position_encodings/encodings"]
        yield from _norm(variables, f"{side}/layer_norm", f"model.{side}.layer_norm")
        for number in range(_layers(variables, side)):
            layer, target = f"{side}/layer_{number}", f"model.{side}.layers.{number}"
            yield from _self_attention(variables, f"{layer}/self_attention", target)
            if side == "decoder":
                yield from _cross_attention(variables, f"{layer}/attention", target)
            yield from _norm(variables, f"{layer}/ffn/layer_norm", f"{target}.final_layer_norm")
            yield from _linear(variables, f"{layer}/ffn/linear_0", f"{target}.fc1")
            yield from _linear(variables, f"{layer}/ffn/linear_1", f"{target}.fc2")


def _self_attention(variables: Arrays, source: str, target: str) -> Iterator[tuple[str, np.ndarray]]:
    yield from _norm(variables, f"{source}/layer_norm", f"{target}.self_attn_layer_norm")
    yield from _parts(variables, f"{source}/linear_0", f"{target}.self_attn", "qkv")
    yield from _linear(variables, f"{source}/linear_1", f"{target}.self_attn.out_proj")


def _cross_attention(variables: Arrays, source: str, target: str) -> Iterator[tuple[str, np.ndarray]]:
    yield from _norm(variables, f"{source}/layer_norm", f"{target}.encoder_attn_layer_norm")
    yield from _linear(variables, f"{source}/linear_0", f"{target}.encoder_attn.q_proj")
    yield from _parts(variables, f"{source}/linear_1", f"{target}.encoder_attn", "kv")
    yield from _linear(variables, f"{source}/linear_2", f"{target}.encoder_attn.out_proj")


def _parts(variables: Arrays, source: str, target: str, letters: str) -> Iterator[tuple[str, np.ndarray]]:
    """Split a concatenated weight and bias into those of several layers; keys have no bias."""
    weights = np.split(variables[f"{source}/weight"], len(letters))
    biases = np.split(variables[f"{source}/bias"], len(letters))
    for letter, weight, bias in zip(letters, weights, biases, strict=True):
        yield f"{target}.{letter}_proj.weight", weight
        if letter != "k":
            yield f"{target}.{letter}_proj.bias", bias


def _linear(variables: Arrays, source: str, target: str) -> Iterator[tuple[str, np.ndarray]]:
    yield f"{target}.weight", variables[f"{source}/weight"]
    yield f"{target}.bias", variables[f"{source}/bias"]


def _norm(variables: Arrays, source: str, target: str) -> Iterator[tuple[str, np.ndarray]]:
    yield f"{target}.weight", variables[f"{source}/gamma"]
    yield f"{target}.bias", variables[f"{source}/beta"]


def probe_whisper(network: Any) -> torch.Tensor:
    """Return the logits of the first token for a window of fixed noise: float32, shape (1, 1, vocabulary)."""
    import torch

    generator = torch.Generator().manual_seed(0)
    noise = torch.randn((1, network.config.num_mel_bins, PROBE_FRAMES), generator=generator).to(network.dtype)
    first = torch.zeros((1, 1), dtype=torch.long)
    logits: torch.Tensor = network(input_features=noise, decoder_input_ids=first).logits
    return logits.float()


def _write_processor(source: Path, target: Path) -> None:
    """Write tokenizer and feature extractor."""
    transformers = import_transformers()
    shutil.copyfile(source / TOKENIZER, target / TOKENIZER)
    config = transformers.WhisperConfig.from_pretrained(target)
    transformers.WhisperFeatureExtractor(feature_size=config.num_mel_bins).save_pretrained(target)
