"""The wire: every message to a browser, as CONTRACT says, and the small ones between our own processes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict

from django.utils.translation import get_language, gettext, gettext_noop, override

from inference.types import PartialCaption
from meetings.models import UNSURE, Caption, Meeting, Speaker, Summary
from meetings.store.transcript import Change

NoticeState = Literal["live", "paused", "catching_up", "summarizing", "ended", "degraded", "waiting"]

INTERFACE = "en"
"""The language of the sentences in the code."""

ROUND_S = 3
"""Decimals of seconds on the wire: a millisecond."""


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


class TranslationInfo(TypedDict):
    language: str
    text: str


class CaptionMessage(TypedDict):
    type: Literal["caption"]
    seq: int
    segment: str
    revision: int
    start: float
    end: float
    speaker: str | None
    unsure: bool
    language: str
    text: str
    translation: TranslationInfo | None
    provisional: bool


class SpeakerMessage(TypedDict):
    type: Literal["speaker"]
    seq: int
    id: str
    name: str | None
    color: str
    merged_into: str | None


class SummaryItem(TypedDict):
    kind: str
    text: str
    owner: str | None
    segments: list[str]


class SummaryMessage(TypedDict):
    type: Literal["summary"]
    seq: int
    id: str
    from_s: float
    to_s: float
    language: str
    text: str
    items: list[SummaryItem]


class PartialMessage(TypedDict):
    type: Literal["partial"]
    segment: str
    start: float
    speaker: str | None
    text: str
    provisional: bool


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
    language: str
    detected_language: str | None
    next_summary_s: float | None
    """Until the next one by the clock; 0.0: when there is something new; None: only when asked for."""
    summary_trouble: str | None
    """A sentence: why one that is wanted is put off, or cannot be written."""
    retry_summary_s: float | None
    """Until that one is tried again; None: not before the server is started anew."""
    last_summary_s: float | None
    """What the last one took, exchange of models included, of whatever meeting; None: none yet."""
    last_swap_s: float | None
    """What the exchange of models took of that."""


class ErrorMessage(TypedDict):
    type: Literal["error"]
    code: str
    message: str
    next_frame: NotRequired[int]


Message = (
    Hello
    | CaptionMessage
    | SpeakerMessage
    | SummaryMessage
    | PartialMessage
    | Notice
    | Resync
    | Ready
    | Ack
    | Ledger
    | ErrorMessage
)


def encode(message: Message) -> str:
    """One JSON text frame."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))


def hello(meeting: Meeting, state: str, *, languages: Sequence[str], speakers: Sequence[Speaker]) -> Hello:
    return Hello(
        type="hello",
        meeting=MeetingInfo(id=meeting.pk, title=meeting.title, language=meeting.language),
        languages=list(languages),
        speakers=[SpeakerInfo(id=row.label, name=row.name or None, color=row.color) for row in speakers],
        state=state,
        last_seq=meeting.last_seq,
        downloads=meeting.allow_downloads,
    )


def change(row: Change, language: str) -> CaptionMessage | SpeakerMessage | SummaryMessage:
    """A stored change, for those who read in `language`; empty: as it was said."""
    match row:
        case Speaker():
            return speaker(row)
        case Summary():
            return summary(row, language)
    return caption(row, language)


def caption(row: Caption, language: str = "") -> CaptionMessage:
    return CaptionMessage(
        type="caption",
        seq=row.seq,
        segment=row.segment,
        revision=row.revision,
        start=round(row.start, ROUND_S),
        end=round(row.end, ROUND_S),
        speaker=None if row.speaker in ("", UNSURE) else row.speaker,
        unsure=row.speaker == UNSURE,
        language=row.language,
        text=row.text,
        translation=_translation(row, language),
        provisional=False,
    )


def _translation(row: Caption, language: str) -> TranslationInfo | None:
    if not language or language == row.language:
        return None
    found = (stored.text for stored in row.translations.all() if stored.language == language)
    text = next(found, None)
    return None if text is None else TranslationInfo(language=language, text=text)


def speaker(row: Speaker) -> SpeakerMessage:
    return SpeakerMessage(
        type="speaker",
        seq=row.seq,
        id=row.label,
        name=row.name or None,
        color=row.color,
        merged_into=row.merged_into or None,
    )


def summary(row: Summary, language: str = "") -> SummaryMessage:
    """In `language` where it is translated, else as it was written."""
    translated = row.translations.get(language)
    texts = translated["items"] if translated else [item["text"] for item in row.items]
    return SummaryMessage(
        type="summary",
        seq=row.seq,
        id=str(row.pk),
        from_s=round(row.from_s, ROUND_S),
        to_s=round(row.to_s, ROUND_S),
        language=language if translated else row.language,
        text=translated["text"] if translated else row.text,
        items=[
            SummaryItem(kind=item["kind"], text=text, owner=item["owner"], segments=item["segments"])
            for item, text in zip(row.items, texts, strict=True)
        ],
    )


def partial(event: PartialCaption) -> PartialMessage:
    return PartialMessage(
        type="partial",
        segment=event.segment,
        start=round(event.start, ROUND_S),
        speaker=None,
        text=event.text,
        provisional=event.provisional,
    )


NOTICES: dict[NoticeState, str] = {
    "live": gettext_noop("Captions are live."),
    "paused": gettext_noop("The host has paused. Captions continue when the host does."),
    "catching_up": gettext_noop("Catching up: everything said is kept and is being captioned now."),
    "summarizing": gettext_noop("A summary is being written. What is said meanwhile is kept and captioned afterwards."),
    "ended": gettext_noop("The meeting has ended."),
    "degraded": gettext_noop("Captions are delayed by a fault. What is said is kept and will be captioned."),
    "waiting": gettext_noop("Waiting for the host to start."),
}
"""What people read, by state."""


def in_interface(message: Notice, interface: str) -> Notice:
    """What is told to a person, in the language that they have chosen for the pages."""
    with override(interface):
        return {**message, "message": gettext(NOTICES[message["state"]])}


def notice(state: NoticeState, *, behind_s: float = 0.0, expected_s: float | None = None) -> Notice:
    return Notice(
        type="notice", state=state, message=NOTICES[state], expected_s=expected_s, behind_s=round(behind_s, 1)
    )


def phase_notice(phase: NoticeState, *, until: float, behind_s: float) -> Notice:
    """For who comes in the middle of it. `until`: Unix time when it is expected to be over; 0: nobody knows."""
    expected_s = round(max(0.0, until - time.time()), 1) if until else None
    return in_interface(notice(phase, behind_s=behind_s, expected_s=expected_s), get_language() or INTERFACE)


# ---- between our processes: hints that may be lost; the database is the truth -------------------------------------


@dataclass(frozen=True, slots=True)
class Bell:
    """Something up to `seq` is stored: read it."""

    seq: int


@dataclass(frozen=True, slots=True)
class Passing:
    """A message for everyone that is not stored: a partial or a notice."""

    message: PartialMessage | Notice


@dataclass(frozen=True, slots=True)
class Recheck:
    """Links, a password or a sign-in have changed: ask who may stay."""


Hint = Bell | Passing | Recheck
RECHECK = "recheck"


def events_channel(meeting_id: str) -> str:
    return f"parlance:{{{meeting_id}}}:events"


def pack(hints: Iterable[Hint]) -> bytes:
    """Hints of one step as one broker message, in order.

    A new kind of hint is packed as an object with a `type` of its own: processes of other versions pass it over.
    """
    return json.dumps([_packed(hint) for hint in hints]).encode()


def unpack(data: bytes) -> list[Hint]:
    """Return the hints of a broker message that this version knows; others, and what is no hint, are passed over."""
    try:
        items = json.loads(data)
    except (ValueError, RecursionError):
        return []
    known = map(_unpacked, items if isinstance(items, list) else ())
    return [hint for hint in known if hint is not None]


def _packed(hint: Hint) -> object:
    if isinstance(hint, Recheck):
        return RECHECK
    return hint.seq if isinstance(hint, Bell) else hint.message


def _unpacked(item: Any) -> Hint | None:
    match item:
        case bool():
            return None
        case int():
            return Bell(item)
        case str() if item == RECHECK:
            return Recheck()
        case {"type": "partial", "segment": str(), "text": str()}:
            return Passing(item)
        case {"type": "notice", "state": str(state)} if state in NOTICES:
            return Passing(item)
    return None
