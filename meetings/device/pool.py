"""Build the pool of a worker's device: which models it holds, how large they are, and how each is moved."""

from __future__ import annotations

from collections.abc import Iterator

import structlog

from inference.models.device import Device, choose_device
from inference.models.loading import ModelCorrupt, ModelMissing
from inference.models.residency.history import Step
from inference.models.residency.memory import DeviceMemory, default_budget
from inference.models.residency.plan import DoesNotFit, make_plan
from inference.models.residency.pool import ModelPool, PoolState
from inference.models.residency.transfers import Member
from inference.summarization.chat_weights import QuantizationMissing, RowsDoNotFit
from meetings.device import watchdog
from meetings.device.asr import speech_member
from meetings.device.diarization import SPEAKERS, speakers_member
from meetings.device.summarization import SUMMARY, summary_member
from meetings.device.translation import TRANSLATION, translation_member
from meetings.environment import Environment

log = structlog.get_logger(__name__)


def build_pool(environment: Environment) -> ModelPool:
    """Return the pool, not started: `asr.ASR`, and SPEAKERS, TRANSLATION and SUMMARY as far as they are installed.

    Models that are missing or corrupt, and a summariser that can never fit, are left out and logged.

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
        summarizer = summary_member(environment, device, budget=memory.budget)
        make_plan(
            [member.need for member in (*members, summarizer)], budget=memory.budget, choice=environment.residency
        )
        members.append(summarizer)
    except (ModelMissing, ModelCorrupt, DoesNotFit, QuantizationMissing, RowsDoNotFit) as error:
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
    """Yield the optional models; record in `left_out` those that are not here."""
    for name, build in ((SPEAKERS, speakers_member), (TRANSLATION, translation_member)):
        try:
            yield build(environment, device)
        except (ModelMissing, ModelCorrupt) as error:
            log.error(f"{name}_unavailable", error=str(error))
            left_out[name] = error


def _log_state(state: PoolState) -> None:
    log.info("models", state=state.value)


def _log_step(step: Step) -> None:
    """Log the seconds and GiB of every step of a swap."""
    log.info(
        "models_step",
        step=step.kind.value,
        model=step.model,
        seconds=round(step.seconds, 3),
        gibibytes=round(step.size / 2**30, 3),
    )
