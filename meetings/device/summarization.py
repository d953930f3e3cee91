"""The summariser from the settings: which chat model, in how many bits, and how the pool moves it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from inference.models.catalog import UnknownModel, default_model
from inference.models.device import CPU, Device, choose_device
from inference.models.loading import ModelCorrupt, ModelMissing
from inference.models.optimization.flags import Component, tune
from inference.models.residency.gguf import gguf_bytes
from inference.models.residency.memory import default_budget
from inference.models.residency.plan import Group, ModelNeed, ModelSize
from inference.models.residency.sizes import Bits, file_bytes, planned_bytes
from inference.models.residency.torch_module import TorchResident
from inference.models.residency.transfers import Member
from inference.models.torchaudio_compat import import_transformers
from inference.summarization.chat_weights import (
    ChatSource,
    QuantizedBits,
    can_quantize,
    gguf_of,
    require_quantization,
    require_whole_blocks,
)
from inference.summarization.gguf_conversion import find_unpacked, is_being_unpacked
from inference.summarization.loader import chat_model_source
from meetings.environment import Environment

if TYPE_CHECKING:
    from inference.summarization.summarizer import ChatSummarizer

SUMMARY = "summary"
"""Name in the pool."""

SUMMARY_WORKING_BYTES = 600_000_000
"""Bytes in addition to the weights: a generous estimate of activations and key-value caches."""

FEW: dict[str, QuantizedBits] = {"8": 8, "4": 4}
"""Bits that bitsandbytes stores linear layers in, by setting; the most precise first."""


def summary_model(environment: Environment) -> str:
    """Return the name of the chosen summariser: one from the catalogue, a folder, or a repository of the hub."""
    return environment.summary_model or default_model(environment.profile, "summary").name


def is_packed(environment: Environment) -> bool:
    """Return whether the summariser is a GGUF that has to be unpacked before a summary can be written soon."""
    packed = _packed(environment)
    return packed is not None and find_unpacked(packed) is None


def is_unpacking(environment: Environment) -> bool:
    """Return whether a process unpacks the summariser's weights now: a swap would keep captions waiting for it."""
    packed = _packed(environment)
    return packed is not None and is_being_unpacked(packed)


def _packed(environment: Environment) -> Path | None:
    """The summariser's GGUF; None where it is of another kind, or not here."""
    try:
        source = chat_model_source(summary_model(environment), environment.models)
    except (ModelMissing, ModelCorrupt, UnknownModel):
        return None
    return gguf_of(Path(source))


def load_summarizer(environment: Environment) -> ChatSummarizer:
    """Load a summariser outside of a pool, with the device and all cores to itself.

    Raises:
        ModelMissing, ModelCorrupt: the weights are not here; the message says how to get them.
        UnknownModel: PARLANCE_SUMMARY_MODEL names none.
        NoSuchDevice: PARLANCE_DEVICE names a GPU that is not there.
        QuantizationMissing: PARLANCE_SUMMARY_BITS asks for fewer bits, and bitsandbytes is not installed.
        RowsDoNotFit: PARLANCE_SUMMARY_BITS is 4, which this model does not support on a CPU.
    """
    import torch

    device = choose_device(environment.device)
    source = chat_model_source(summary_model(environment), environment.models)
    bits = _few_bits(environment, source, device, environment.device_budget or default_budget(device))
    torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    return _load(environment, source, device=device, runs_on=device, bits=bits)


def summary_member(environment: Environment, device: Device, *, budget: int) -> Member:
    """Return the chat model as a member of the pool of `device`, whose models may take `budget` bytes.

    Raises what `load_summarizer` raises, except NoSuchDevice.
    """
    source = chat_model_source(summary_model(environment), environment.models)
    bits = _few_bits(environment, source, device, budget)
    on_host = CPU if bits is None else device

    def load() -> ChatSummarizer:
        # Load on the host, where the pool can move it. Quantized weights are made on the device.
        return _load(environment, source, device=on_host, runs_on=device, bits=bits)

    need = ModelNeed(
        _label(environment) + (f" in {bits} bits" if bits else ""),
        Group.SUMMARIZATION,
        _size(environment, source, device, bits),
        _remedy(bits),
    )
    resident: TorchResident[ChatSummarizer] = TorchResident(
        load,
        device=device,
        folder=environment.data,
        warm_up=lambda summarizer: summarizer.warm_up(),
        loads_on_device=True if bits else None,
    )
    return Member(SUMMARY, need, resident)


def _few_bits(environment: Environment, source: ChatSource, device: Device, budget: int) -> QuantizedBits | None:
    """Return the bits to quantize to, or None for full precision.

    By default a GPU with too little memory uses as many bits as fit.
    """
    if (wanted := FEW.get(environment.summary_bits)) is not None:
        require_quantization(wanted)
        if wanted == 4 and device.kind == "cpu" and (config := _description(source)) is not None:
            require_whole_blocks(config, label=_label(environment))
        return wanted
    has_room = _size(environment, source, device, None).total <= budget
    if environment.summary_bits == "16" or device.kind == "cpu" or has_room or not can_quantize():
        return None
    return next((bits for bits in FEW.values() if _size(environment, source, device, bits).total <= budget), None)


def _remedy(bits: QuantizedBits | None) -> str:
    fewer = "" if bits == 4 else ", or install bitsandbytes and let PARLANCE_SUMMARY_BITS be 4"
    return f"choose a smaller PARLANCE_SUMMARY_MODEL{fewer}"


def _size(environment: Environment, source: ChatSource, device: Device, bits: QuantizedBits | None) -> ModelSize:
    """Return the expected size before anything is loaded."""
    precision = tune(Component.SUMMARY, device.kind, environment.optimizations).precision
    return ModelSize(_weight_bytes(source, bits or (32 if precision == "float32" else 16)), SUMMARY_WORKING_BYTES)


def _weight_bytes(source: ChatSource, bits: Bits) -> int:
    if (isinstance(source, str) or bits < 16) and (config := _description(source)) is not None:
        return planned_bytes(config, bits=bits)
    packed = gguf_of(Path(source))
    return file_bytes(Path(source)) if packed is None else gguf_bytes(packed, bits=max(bits, 16))


def _description(source: ChatSource) -> object | None:
    """Return the network's configuration, or None for a GGUF file that is not unpacked yet."""
    packed = gguf_of(Path(source))
    described = source if packed is None else find_unpacked(packed)
    return None if described is None else import_transformers().AutoConfig.from_pretrained(described)


def _label(environment: Environment) -> str:
    return Path(summary_model(environment)).name


def _load(
    environment: Environment, source: ChatSource, *, device: Device, runs_on: Device, bits: QuantizedBits | None
) -> ChatSummarizer:
    from inference.summarization.chat import ChatModel
    from inference.summarization.summarizer import ChatSummarizer

    wishes, label = environment.optimizations, _label(environment)
    return ChatSummarizer(ChatModel(source, device=device, runs_on=runs_on, bits=bits, wishes=wishes, label=label))
