"""The wire format: every message to a browser, as CONTRACT.md defines it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Literal, NotRequired, TypedDict

from django.utils.translation import get_language, gettext, override

from meetings.broker.hints import PartialMessage
from meetings.broker.notices import NOTICES, Notice, NoticeState, notice
from meetings.models import Meeting, Speaker
from meetings.store import summary_status
from meetings.store.serializers import CaptionMessage, SpeakerMessage, SummaryMessage
from meetings.store.summary_attempts import attempt_of

INTERFACE = "en"
"""The language of the sentences in the code."""


class MeetingInfo(TypedDict):
    id: str
    title: str
    language: str


class SpeakerInfo(TypedDict):
    id: str
    name: str | None
    color: str


class Hello(TypedDict):
    type: Literal["hello"]
    meeting: MeetingInfo
    languages: list[str]
    speakers: list[SpeakerInfo]
    state: str
    last_seq: int
    downloads: bool
    summary_due: bool
    """The meeting has ended, and its last summary is still to be written."""
    summary_trouble: NotRequired[str]
    """A sentence: why the last summary is put off."""


class Languages(TypedDict):
    """To readers: the host has changed what is spoken."""

    type: Literal["languages"]
    spoken: str
    languages: list[str]
    """What captions can be read in, as in `hello`."""


class Resync(TypedDict):
    type: Literal["resync"]
    after: int


class Ready(TypedDict):
    type: Literal["ready"]
    next_frame: int
    sample_rate: int
    frame_ms: int


class Ack(TypedDict):
    type: Literal["ack"]
    frame: int


class Ledger(TypedDict):
    type: Literal["ledger"]
    captured_s: float
    durable_s: float
    captioned_s: float
    behind_s: float
    missing_s: float
    language: str
    detected_language: str | None
    next_summary_s: float | None
    """Until the next one by interval; 0.0: as soon as there is something new; None: only on request."""
    summary_trouble: str | None
    """A sentence: why a due summary is put off or cannot be written."""
    retry_summary_s: float | None
    """Until the next attempt; None: not before a restart."""


class Tick(TypedDict):
    type: Literal["tick"]


class ErrorMessage(TypedDict):
    type: Literal["error"]
    code: str
    message: str
    next_frame: NotRequired[int]


Message = (
    Hello
    | Languages
    | CaptionMessage
    | SpeakerMessage
    | SummaryMessage
    | PartialMessage
    | Notice
    | Resync
    | Ready
    | Ack
    | Ledger
    | Tick
    | ErrorMessage
)


def encode(message: Message) -> str:
    """Encode a message as one JSON text frame."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))


def hello(
    meeting: Meeting, state: str, *, languages: Sequence[str], speakers: Sequence[Speaker], summary_due: bool = False
) -> Hello:
    trouble = summary_status.sentence(attempt_of(meeting).error) if summary_due else None
    told = Hello(
        type="hello",
        meeting=MeetingInfo(id=meeting.pk, title=meeting.title, language=meeting.language),
        languages=list(languages),
        speakers=[SpeakerInfo(id=row.label, name=row.name or None, color=row.color) for row in speakers],
        state=state,
        last_seq=meeting.last_seq,
        downloads=meeting.allow_downloads,
        summary_due=summary_due,
    )
    return {**told, "summary_trouble": trouble} if trouble else told


def in_interface(message: Notice, interface: str) -> Notice:
    """Return the notice in the viewer's interface language."""
    with override(interface):
        told: Notice = {**message, "message": gettext(NOTICES[message["state"]])}
        trouble = summary_status.sentence(told.pop("summary_failure", ""))
        return {**told, "summary_trouble": trouble} if trouble else told


def phase_notice(phase: NoticeState, *, until: float, behind_s: float) -> Notice:
    """Return the phase as a notice, for viewers that join late. `until`: expected end in Unix time; 0: unknown."""
    expected_s = round(max(0.0, until - time.time()), 1) if until else None
    return in_interface(notice(phase, behind_s=behind_s, expected_s=expected_s), get_language() or INTERFACE)
