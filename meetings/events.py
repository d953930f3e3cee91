"""The wire: every message to a browser, as CONTRACT says, and the small ones between our own processes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict

from inference.types import PartialCaption
from meetings.models import Caption, Meeting

NoticeState = Literal["live", "paused", "catching_up", "ended", "degraded", "waiting"]

ROUND_S = 3
"""Decimals of seconds on the wire: a millisecond."""


class MeetingInfo(TypedDict):
    id: str
    title: str
    language: str


class Hello(TypedDict):
    type: Literal["hello"]
    meeting: MeetingInfo
    languages: list[str]
    speakers: list[dict[str, Any]]
    state: str
    last_seq: int
    downloads: bool


class CaptionMessage(TypedDict):
    type: Literal["caption"]
    seq: int
    segment: str
    revision: int
    start: float
    end: float
    speaker: str | None
    language: str
    text: str
    translation: None
    provisional: bool


class PartialMessage(TypedDict):
    type: Literal["partial"]
    segment: str
    start: float
    speaker: str | None
    text: str


class Notice(TypedDict):
    type: Literal["notice"]
    state: NoticeState
    message: str
    expected_s: float | None
    behind_s: float


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


class ErrorMessage(TypedDict):
    type: Literal["error"]
    code: str
    message: str
    next_frame: NotRequired[int]


Message = Hello | CaptionMessage | PartialMessage | Notice | Resync | Ready | Ack | Ledger | ErrorMessage


def encode(message: Message) -> str:
    """One JSON text frame."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))


def hello(meeting: Meeting, state: str) -> Hello:
    spoken = [] if meeting.language == "auto" else [meeting.language]
    return Hello(
        type="hello",
        meeting=MeetingInfo(id=meeting.pk, title=meeting.title, language=meeting.language),
        languages=spoken + [language for language in meeting.languages if language not in spoken],
        speakers=[],
        state=state,
        last_seq=meeting.last_seq,
        downloads=meeting.allow_downloads,
    )


def caption(row: Caption) -> CaptionMessage:
    return CaptionMessage(
        type="caption",
        seq=row.seq,
        segment=row.segment,
        revision=row.revision,
        start=round(row.start, ROUND_S),
        end=round(row.end, ROUND_S),
        speaker=None,
        language=row.language,
        text=row.text,
        translation=None,
        provisional=False,
    )


def partial(event: PartialCaption) -> PartialMessage:
    return PartialMessage(
        type="partial", segment=event.segment, start=round(event.start, ROUND_S), speaker=None, text=event.text
    )


NOTICES: dict[NoticeState, str] = {
    "live": "Captions are live.",
    "paused": "The host has paused. Captions continue when the host does.",
    "catching_up": "Catching up: everything said is kept and is being captioned now.",
    "ended": "The meeting has ended.",
    "degraded": "Captions are delayed by a fault. What is said is kept and will be captioned.",
    "waiting": "Waiting for the host to start.",
}
"""What people read, by state."""


def notice(state: NoticeState, *, behind_s: float = 0.0, expected_s: float | None = None) -> Notice:
    return Notice(
        type="notice", state=state, message=NOTICES[state], expected_s=expected_s, behind_s=round(behind_s, 1)
    )


# ---- between our processes: hints that may be lost; the database is the truth -------------------------------------


@dataclass(frozen=True, slots=True)
class Bell:
    """Something up to `seq` is stored: read it."""

    seq: int


@dataclass(frozen=True, slots=True)
class Passing:
    """A message for everyone that is not stored: a partial or a notice."""

    message: PartialMessage | Notice


def events_channel(meeting_id: str) -> str:
    return f"parlance:{{{meeting_id}}}:events"


def pack(hints: Iterable[Bell | Passing]) -> bytes:
    """Hints of one step as one broker message, in order."""
    return json.dumps([hint.seq if isinstance(hint, Bell) else hint.message for hint in hints]).encode()


def unpack(data: bytes) -> list[Bell | Passing]:
    return [Bell(item) if isinstance(item, int) else Passing(item) for item in json.loads(data)]
