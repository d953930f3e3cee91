"""Summary of a recorded file, by the summarizer of meetings, from its captions."""

from __future__ import annotations

import time
from dataclasses import replace

from inference.summarization.summary import Item, SpokenUtterance, Summarizer, SummaryRequest
from inference.summarization.translated import translate_summary
from inference.translation.translator import TranslationRequest, Translator, offers
from meetings.batch.transcription import Transcription
from meetings.broker.hints import ROUND_S
from meetings.export.cues import Cue, CueSpeaker
from meetings.export.summary import SummaryDocument, SummaryLine
from meetings.store.serializers import SummaryItem, SummaryMessage

RECORDING_SUMMARY_S = 900.0
"""Time limit for the summary of a recording; what is not written by then is quoted."""
ID = "1"
"""A recording has one summary."""


def sum_up(transcription: Transcription, summarizer: Summarizer) -> Transcription:
    """Return the transcription with a summary, timed as stage `summary`; without one if nothing was said."""
    lines = tuple(_line(cue) for cue in transcription.cues if cue.line)
    if not lines:
        return transcription
    started = time.perf_counter()
    request = SummaryRequest(lines, transcription.language or lines[0].language)
    summary = summarizer.summarize(request, within_s=RECORDING_SUMMARY_S)
    return replace(transcription, summary=summary, stages=_timed(transcription, "summary", started))


def translate_recording_summary(
    transcription: Transcription, translator: Translator, *, target: str, vocabulary: tuple[str, ...] = ()
) -> Transcription:
    """Return it with the summary in `target`, timed as stage `translation`; unchanged if that is not possible."""
    summary = transcription.summary
    if summary is None or not offers(translator, summary.language, target):
        return transcription
    source = summary.language

    def translated(texts: list[str]) -> list[str]:
        requests = [TranslationRequest(text, source, target, vocabulary) for text in texts]
        return [done.text for done in translator.translate(requests)]

    started = time.perf_counter()
    summary = translate_summary(summary, target, translated)
    return replace(transcription, summary=summary, stages=_timed(transcription, "translation", started))


def recording_summary(transcription: Transcription) -> SummaryDocument | None:
    """Return the summary for a file: it cites captions by `seq` and follows them."""
    summary = transcription.summary
    if summary is None:
        return None
    message = SummaryMessage(
        type="summary",
        seq=len(transcription.cues) + 1,
        id=ID,
        from_s=round(summary.from_s, ROUND_S),
        to_s=round(summary.to_s, ROUND_S),
        language=summary.language,
        text=summary.text,
        items=[
            SummaryItem(kind=item.kind.value, text=item.text, owner=item.owner, segments=list(item.segments))
            for item in summary.items
        ],
    )
    return SummaryDocument(message, tuple(_digest_item(item) for item in summary.items))


def _line(cue: Cue) -> SpokenUtterance:
    speaker = cue.speaker.id if cue.speaker else None
    return SpokenUtterance(str(cue.seq), cue.start, cue.end, cue.text, cue.language, speaker)


def _digest_item(item: Item) -> SummaryLine:
    return SummaryLine(item.kind.value, item.text, CueSpeaker(item.owner).label if item.owner else "")


def _timed(transcription: Transcription, stage: str, started: float) -> dict[str, float]:
    seconds = transcription.stages.get(stage, 0.0) + time.perf_counter() - started
    return {**transcription.stages, stage: seconds}
