"""Rows as JSON messages, the same on the socket and in exported files (CONTRACT.md)."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from inference.sentences import is_whole, sentence_starts
from meetings.broker.hints import ROUND_S
from meetings.models import UNSURE, Caption, Speaker, Summary
from meetings.store.transcript import Change


class TranslationInfo(TypedDict):
    language: str
    text: str
    settled: NotRequired[int]
    """While the caption is open: characters of the sentences that are complete. The rest may change."""


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
    open: NotRequired[bool]
    """True while it is still being spoken: the next revision goes on with its text."""


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


def change(row: Change, language: str) -> CaptionMessage | SpeakerMessage | SummaryMessage:
    """Return the message of a stored change for readers of `language`; empty: as spoken."""
    match row:
        case Speaker():
            return speaker(row)
        case Summary():
            return summary(row, language)
    return caption(row, language)


def caption(row: Caption, language: str = "") -> CaptionMessage:
    message = CaptionMessage(
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
    return {**message, "open": True} if row.is_open else message


def _translation(row: Caption, language: str) -> TranslationInfo | None:
    if not language or language == row.language:
        return None
    found = (stored.text for stored in row.translations.all() if stored.language == language and stored.is_shown)
    text = next(found, None)
    if text is None:
        return None
    translation = TranslationInfo(language=language, text=text)
    return {**translation, "settled": _settled(row.text, text)} if row.is_open else translation


def _settled(text: str, translation: str) -> int:
    """Return the characters of the translation whose sentences are complete in the text."""
    return len(translation) if is_whole(text) else max((0, *sentence_starts(translation)))


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
    """In `language` if it is translated, else as written."""
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
