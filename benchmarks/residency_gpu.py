"""Residency on a GPU: swapping full-size architectures with random weights; pinned, pageable, and plain `.to()`.

Whisper large-v3-turbo and M2M100 1.2B (float16) against Qwen2.5-7B (bfloat16). Random weights are valid for seconds and
memory, not for quality. `python -m benchmarks.residency_gpu` needs torch with CUDA and transformers, but none of this
project's other dependencies, and 64 GB of host memory. It prints JSON.
"""

from __future__ import annotations

import importlib
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.report import report
from benchmarks.swapping import spread, time_cycles
from inference.models.device import Device, NoSuchDevice
from inference.models.residency.host_copies import HostCopy
from inference.models.residency.layout import plan_layout
from inference.models.residency.memory import DeviceMemory, release_memory
from inference.models.residency.plan import GIB, Group, ModelNeed, ModelSize
from inference.models.residency.pool import ModelPool
from inference.models.residency.torch_module import TorchResident
from inference.models.residency.transfers import Member
from inference.models.torchaudio_compat import import_transformers

if TYPE_CHECKING:
    import torch

CYCLES = 50
QUICK = 5
REPEATS = 5
WORKING = GIB
"""Bytes for each model's buffers and activations."""
PATTERN = 2**22
"""Random numbers repeated to fill all weights; enough to rule out effects of compression."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """A transformers model: class, configuration and warm-up."""

    name: str
    group: Group
    model: str
    config: str
    values: dict[str, Any]
    dtype: str
    warm_up: Callable[[Any], list[int]]


def run(*, quick: bool = False) -> dict[str, Any]:
    """Measure all figures on the first GPU; `quick` runs five cycles.

    Raises:
        NoSuchDevice: there is no GPU that torch can use.
    """
    import torch

    if not torch.cuda.is_available():
        raise NoSuchDevice("This benchmark needs a GPU and a torch built for CUDA.")
    return measure(FULL_SIZE, Device("cuda"), QUICK if quick else CYCLES)


def measure(architectures: tuple[Architecture, ...], device: Device, cycles: int) -> dict[str, Any]:
    """Measure `architectures` in one swapping pool, then the last of them moved in other ways."""
    pool = _make_pool(architectures, device)
    started = time.perf_counter()
    pool.start()
    pool.prepare()
    start_s = time.perf_counter() - started
    figures = {
        "device": _describe(device),
        "start_s": round(start_s, 2),
        "swap": time_cycles(pool, cycles, lambda: _used(device)),
        "host_rss_gib": round(_host_bytes() / GIB, 2),
    }
    del pool
    release_memory(device)
    return {**figures, "one_model": _one_model(architectures[-1], device)}


def _make_pool(architectures: tuple[Architecture, ...], device: Device) -> ModelPool:
    members = []
    for architecture in architectures:
        size = ModelSize(sum(tensor.nbytes for tensor in _on_meta(architecture).parameters()), WORKING)
        resident = TorchResident(_loader(architecture), device=device, warm_up=architecture.warm_up)
        need = ModelNeed(architecture.name, architecture.group, size)
        members.append(Member(architecture.name, need, resident))
    largest = sum(member.need.size.total for member in members)
    return ModelPool(members, DeviceMemory(device, largest), choice="swap")


def _loader(architecture: Architecture) -> Callable[[], Any]:
    return lambda: build(architecture)


def build(architecture: Architecture) -> Any:
    """Return the network on the host, with random weights."""
    import torch

    import_transformers()
    with importlib.import_module("transformers.initialization").no_init_weights():
        network = _network(architecture)
    generator = torch.Generator().manual_seed(1)
    pattern = torch.empty(PATTERN).uniform_(-0.05, 0.05, generator=generator).to(getattr(torch, architecture.dtype))
    for weights in {id(tensor): tensor for tensor in network.parameters()}.values():
        _fill(weights.data.view(-1), pattern)
    return network.eval()


def _network(architecture: Architecture) -> Any:
    import torch

    transformers = import_transformers()
    config = getattr(transformers, architecture.config)(**architecture.values)
    return getattr(transformers, architecture.model)._from_config(config, dtype=getattr(torch, architecture.dtype))


def _on_meta(architecture: Architecture) -> Any:
    import torch

    with torch.device("meta"):
        return _network(architecture)


def _fill(weights: torch.Tensor, pattern: torch.Tensor) -> None:
    for start in range(0, len(weights), len(pattern)):
        part = weights[start : start + len(pattern)]
        part.copy_(pattern[: len(part)])


# -- one model, moved in other ways ------------------------------------------------------------------------------------


def _one_model(architecture: Architecture, device: Device) -> dict[str, Any]:
    """Measure seconds to upload one model from a page-locked copy, from a pageable one, and by `.to()` both ways."""
    network = build(architecture)
    target = _target(device)
    layout, spans = plan_layout([network])
    kinds = {"pinned": device.kind == "cuda", "pageable": False}
    figures: dict[str, Any] = {"model": architecture.name, "gib": round(layout.size / GIB, 3)}
    for name, pinned in kinds.items():
        started = time.perf_counter()
        copy = HostCopy(spans, layout.size, device=target, pinned=pinned)
        made_s = time.perf_counter() - started
        seconds = [_timed(copy.fetch, device) for _ in range(REPEATS)]
        speed = layout.size / statistics.median(seconds) / 1e9
        figures[name] = {"copy_made_s": round(made_s, 3), "in_s": spread(seconds), "in_gb_per_s": round(speed, 4)}
        del copy
    figures["to"] = _by_to(network, device)
    return figures


def _by_to(network: Any, device: Device) -> dict[str, Any]:
    """Measure plain transfers: `.to("cuda")` in, `.to("cpu")` and `empty_cache()` out."""
    target = _target(device)
    ways: dict[str, list[float]] = {"in_s": [], "out_s": []}
    for _ in range(REPEATS):
        ways["in_s"].append(_timed(lambda: network.to(target), device))
        ways["out_s"].append(_timed(lambda: network.to("cpu"), device))
    return {way: spread(seconds) for way, seconds in ways.items()}


def _timed(action: Callable[[], object], device: Device) -> float:
    """Return the seconds until the device has finished, plus those to return freed memory."""
    started = time.perf_counter()
    kept = action()
    _synchronize(device)
    seconds = time.perf_counter() - started
    del kept
    released = time.perf_counter()
    _empty_cache(device)
    return seconds + time.perf_counter() - released


def _synchronize(device: Device) -> None:
    if device.kind == "cuda":
        import torch

        torch.cuda.synchronize(device.index)


def _empty_cache(device: Device) -> None:
    if device.kind == "cuda":
        import torch

        torch.cuda.empty_cache()


def _target(device: Device) -> torch.device:
    import torch

    return torch.device("cpu") if device.kind == "cpu" else torch.device("cuda", device.index)


def _used(device: Device) -> int:
    """Return the device bytes held by this process's torch; on a CPU, those of the process."""
    release_memory(device)
    if device.kind == "cpu":
        return _host_bytes()
    import torch

    return int(torch.cuda.memory_reserved(device.index))


def _host_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


def _describe(device: Device) -> str:
    if device.kind == "cpu":
        return "cpu"
    import torch

    properties = torch.cuda.get_device_properties(device.index)
    size = f"{properties.total_memory / GIB:.0f} GiB"
    return f"{properties.name}, {size}, CUDA {torch.version.cuda}, torch {torch.__version__}"


# -- what the warm-ups run ---------------------------------------------------------------------------------------------


def hear(network: Any) -> list[int]:
    """Return eight tokens of Whisper for fixed features of 30 s."""
    import torch

    config = network.config
    shape = (1, config.num_mel_bins, 2 * config.max_source_positions)
    features = torch.linspace(-1, 1, shape[1] * shape[2]).view(shape).to(network.device, network.dtype)
    start = torch.full((1, 1), config.decoder_start_token_id, device=network.device)
    return _greedy(lambda tokens: network(input_features=features, decoder_input_ids=tokens).logits, start)


def translate(network: Any) -> list[int]:
    """Return eight tokens of M2M100 for a fixed sentence."""
    import torch

    source = torch.arange(10, 30, device=network.device)[None]
    start = torch.full((1, 1), network.config.decoder_start_token_id, device=network.device)
    return _greedy(lambda tokens: network(input_ids=source, decoder_input_ids=tokens).logits, start)


def write(network: Any) -> list[int]:
    """Return eight tokens of a language model after a fixed prompt."""
    import torch

    return _greedy(lambda tokens: network(input_ids=tokens).logits, torch.arange(10, 42, device=network.device)[None])


def _greedy(logits: Callable[[Any], Any], tokens: Any) -> list[int]:
    import torch

    with torch.inference_mode():
        for _ in range(8):
            tokens = torch.cat([tokens, logits(tokens)[:, -1:].argmax(-1)], dim=1)
    return [int(token) for token in tokens[0]]


FULL_SIZE = (
    Architecture(
        "whisper-large-v3-turbo",
        Group.TRANSCRIPTION,
        "WhisperForConditionalGeneration",
        "WhisperConfig",
        {
            "vocab_size": 51_866,
            "num_mel_bins": 128,
            "d_model": 1280,
            "encoder_layers": 32,
            "decoder_layers": 4,
            "encoder_attention_heads": 20,
            "decoder_attention_heads": 20,
            "encoder_ffn_dim": 5120,
            "decoder_ffn_dim": 5120,
        },
        "float16",
        hear,
    ),
    Architecture(
        "m2m100_1.2B",
        Group.TRANSCRIPTION,
        "M2M100ForConditionalGeneration",
        "M2M100Config",
        {
            "vocab_size": 128_112,
            "encoder_layers": 24,
            "decoder_layers": 24,
            "encoder_ffn_dim": 8192,
            "decoder_ffn_dim": 8192,
        },
        "float16",
        translate,
    ),
    Architecture(
        "Qwen2.5-7B",
        Group.SUMMARIZATION,
        "Qwen2ForCausalLM",
        "Qwen2Config",
        {
            "vocab_size": 152_064,
            "hidden_size": 3584,
            "intermediate_size": 18_944,
            "num_hidden_layers": 28,
            "num_attention_heads": 28,
            "num_key_value_heads": 4,
            "tie_word_embeddings": False,
        },
        "bfloat16",
        write,
    ),
)

if __name__ == "__main__":
    print(json.dumps(report("residency_gpu", run()), indent=1))
