"""The models of a worker's device: which there are, how large they are, and how each of them is moved."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from inference.catalog import default_model
from inference.device import Device, choose_device
from inference.loading import ModelCorrupt, ModelMissing
from inference.optimization.dtypes import dtypes_of
from inference.optimization.flags import Component, tune
from inference.residency.gguf import gguf_bytes
from inference.residency.history import Step
from inference.residency.memory import DeviceMemory, default_budget
from inference.residency.mover import Member
from inference.residency.plan import DoesNotFit, Group, ModelNeed, ModelSize, make_plan
from inference.residency.pool import ModelPool, State
from inference.residency.sizes import Bits, file_bytes, planned_bytes
from inference.residency.torch_module import TorchResident
from inference.summarization.starting import chat_model_source
from meetings import watchdog
from meetings.environment import Environment
from meetings.listening import SPEAKERS, speakers_member
from meetings.recognizing import speech_member
from meetings.translating import TRANSLATION, translation_member

if TYPE_CHECKING:
    from inference.summarization.summarizer import ChatSummarizer

SUMMARY = "summary"
"""Name in the pool."""

SUMMARY_WORKING = 600_000_000
"""Bytes besides the weights: activations and key-value caches, generously."""

log = structlog.get_logger(__name__)


def build_pool(environment: Environment) -> ModelPool:
    """The pool, not started: `recognizing.ASR`, and what is here of `listening.SPEAKERS`, `translating.TRANSLATION` and
    SUMMARY.

    What is not here whole, and a summariser that can never fit, is left out, and the log says so.

    Raises:
        ModelMissing: the speech model's weights are not here.
        DoesNotFit: the models of the captions can never fit the device's budget.
        NoSuchDevice: PARLANCE_DEVICE names a GPU that is not there.
    """
    device = choose_device(environment.device)
    memory = DeviceMemory(device, environment.device_budget or default_budget(device))
    left_out: dict[str, Exception] = {}
    members = [speech_member(environment, device), *_companions(environment, device, left_out)]
    try:
        summarizer = _summary(environment, device)
        make_plan(
            [member.need for member in (*members, summarizer)], budget=memory.budget, choice=environment.residency
        )
        members.append(summarizer)
    except (ModelMissing, ModelCorrupt, DoesNotFit) as error:
        log.error("summaries_unavailable", error=str(error))
        left_out[SUMMARY] = error
    return ModelPool(
        members,
        memory,
        choice=environment.residency,
        left_out=left_out,
        on_state=_log_state,
        on_step=_log_step,
        watch=watchdog.moving,
    )


def _companions(environment: Environment, device: Device, left_out: dict[str, Exception]) -> Iterator[Member]:
    """What the captions can do without; notes in `left_out` what is not here."""
    for name, build in ((SPEAKERS, speakers_member), (TRANSLATION, translation_member)):
        try:
            yield build(environment, device)
        except (ModelMissing, ModelCorrupt) as error:
            log.error(f"{name}_unavailable", error=str(error))
            left_out[name] = error


def summary_model(environment: Environment) -> str:
    """What the chosen summariser is called: a name of the catalogue, a folder, or a repository of the hub."""
    return environment.summary_model or default_model(environment.profile, "summary").name


def load_summarizer(environment: Environment) -> ChatSummarizer:
    """A summariser outside of a pool, with the device and all cores to itself.

    Raises:
        ModelMissing, ModelCorrupt: the weights are not here; the message says how to get them.
        UnknownModel: PARLANCE_SUMMARY_MODEL names none.
        NoSuchDevice: PARLANCE_DEVICE names a GPU that is not there.
    """
    import torch

    from inference.summarization.starting import load_summarizer as load

    torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    return load(summary_model(environment), environment.models, device=choose_device(environment.device))


def _try_summarizer(summarizer: ChatSummarizer) -> str:
    return summarizer.warm_up()


def _summary(environment: Environment, device: Device) -> Member:
    name = summary_model(environment)
    source = chat_model_source(name, environment.models)
    label = Path(name).name
    dtype = tune(Component.SUMMARY, device.kind, environment.optimizations).precision

    def load() -> ChatSummarizer:
        from inference.summarization.chat import ChatModel
        from inference.summarization.summarizer import ChatSummarizer

        # On the host, whatever the device: the pool moves it.
        model = ChatModel(source, runs_on=device, wishes=environment.optimizations, label=label)
        summarizer = ChatSummarizer(model)
        log.info("models_dtype", model=label, dtypes=dtypes_of(summarizer))
        return summarizer

    size = ModelSize(_chat_model_bytes(source, dtype), SUMMARY_WORKING)
    need = ModelNeed(label, Group.SUMMARIZATION, size, "choose a smaller PARLANCE_SUMMARY_MODEL")
    resident: TorchResident[ChatSummarizer] = TorchResident(
        load, device=device, folder=environment.data, warm_up=_try_summarizer
    )
    return Member(SUMMARY, need, resident)


def _chat_model_bytes(source: Path | str, dtype: str) -> int:
    """Bytes on the device, told before anything is loaded; of a model of the hub, by its configuration."""
    bits: Bits = 32 if dtype == "float32" else 16
    if isinstance(source, str):
        from transformers import AutoConfig

        return planned_bytes(AutoConfig.from_pretrained(source), bits=bits)
    packed = [source] if source.suffix == ".gguf" else list(source.glob("*.gguf"))
    return gguf_bytes(packed[0], bits=bits) if packed else file_bytes(source)


def _log_state(state: State) -> None:
    log.info("models", state=state.value)


def _log_step(step: Step) -> None:
    """Seconds and GiB of every step of a swap."""
    log.info(
        "models_step",
        step=step.kind.value,
        model=step.model,
        seconds=round(step.seconds, 3),
        gibibytes=round(step.size / 2**30, 3),
    )
