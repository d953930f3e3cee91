"""Stand-ins for a worker's models, where the real ones would be slow."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from inference.models.device import CPU
from inference.models.residency.memory import DeviceMemory
from inference.models.residency.plan import Group, ModelNeed, ModelSize, PlanChoice
from inference.models.residency.pool import ModelPool
from inference.models.residency.resident import HostOnlyResident
from inference.models.residency.transfers import Member
from inference.summarization.summary import IsCancelled, Item, ItemKind, Summary, SummaryRequest
from meetings.device import watchdog
from meetings.device.asr import ASR
from meetings.device.diarization import SPEAKERS
from meetings.device.summarization import SUMMARY
from meetings.device.translation import TRANSLATION
from tests.inference.diarization.doubles import SilentListener
from tests.inference.doubles import ScriptedTranslator

SIZE = 1_000


def scripted_pool(
    transcriber: Callable[[], Any],
    summarizer: Callable[[], Any] | None = None,
    *,
    listener: Callable[[], Any] = SilentListener,
    translator: Callable[[], Any] = ScriptedTranslator,
    choice: PlanChoice = "swap",
    left_out: Mapping[str, Exception] = MappingProxyType({}),
) -> ModelPool:
    """A real pool of models that are not real; with room for one group at a time."""
    members = [
        _member(ASR, Group.TRANSCRIPTION, transcriber),
        _member(SPEAKERS, Group.TRANSCRIPTION, listener, size=0, is_deferred=True),
        _member(TRANSLATION, Group.TRANSCRIPTION, translator, size=0, is_deferred=True),
    ]
    if summarizer is not None:
        members.append(summary_member(summarizer))
    return ModelPool(members, DeviceMemory(CPU, SIZE), choice=choice, left_out=left_out, watch=watchdog.moving)


def summary_member(summarizer: Callable[[], Any]) -> Member:
    """A summariser as `meetings.device.summarization` puts it into the pool."""
    return _member(SUMMARY, Group.SUMMARIZATION, summarizer)


def _member(name: str, group: Group, load: Callable[[], Any], *, size: int = SIZE, is_deferred: bool = False) -> Member:
    resident: HostOnlyResident[Any] = HostOnlyResident(load, warm_up=lambda model: None)
    return Member(name, ModelNeed(name, group, ModelSize(size)), resident, is_deferred=is_deferred)


class ScriptedSummarizer:
    """Quotes the first new line as a topic; writes for as long as `may_end` is not set."""

    label = "the scripted model"

    def __init__(self) -> None:
        self.requests: list[SummaryRequest] = []
        self.begun = threading.Event()
        self.may_end = threading.Event()
        self.may_end.set()

    def expected_s(self, request: SummaryRequest) -> float:
        return 1.0

    def summarize(
        self, request: SummaryRequest, *, within_s: float, is_cancelled: IsCancelled = lambda: False
    ) -> Summary:
        self.requests.append(request)
        self.begun.set()
        self.may_end.wait(within_s)
        first, last = request.lines[0], request.lines[-1]
        earlier = request.notes.items if request.notes else ()
        item = Item(ItemKind.TOPIC, first.text, (first.segment,))
        from_s = request.notes.from_s if request.notes else first.start
        return Summary(from_s, last.end, request.language, first.text, (*earlier, item))
