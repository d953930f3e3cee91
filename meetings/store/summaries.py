"""Summaries of a meeting: what the next one is based on, storing it, and storing its translations."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from inference.summarization.summary import Item, ItemKind, SpokenUtterance, SummaryRequest
from inference.summarization.summary import Summary as WrittenSummary
from meetings.models import Caption, Speaker, Summary, SummaryAttempt
from meetings.store.transcript import Lease, changing
from meetings.store.webhooks import announce


def new_captions(meeting_id: str, from_s: float) -> list[Caption]:
    """Return the complete captions that start at or after `from_s`, the end of the last summary."""
    rows = Caption.objects.filter(meeting_id=meeting_id, start__gte=from_s, is_open=False).exclude(text="")
    return list(rows.order_by("start", "segment"))


def next_request(meeting_id: str, from_s: float) -> SummaryRequest | None:
    """Return the meeting's captions since `from_s` and its latest notes, or None if there are no new captions."""
    captions = new_captions(meeting_id, from_s)
    if not captions:
        return None
    names = dict(Speaker.objects.filter(meeting_id=meeting_id).values_list("label", "name"))
    return SummaryRequest(
        lines=tuple(_line(caption, names) for caption in captions),
        language=_most_spoken(captions),
        notes=latest(meeting_id),
    )


def latest(meeting_id: str) -> WrittenSummary | None:
    """Return the summary so far, which the next one continues."""
    row = Summary.objects.filter(meeting_id=meeting_id).order_by("from_s", "pk").last()
    if row is None:
        return None
    items = (Item(ItemKind(item["kind"]), item["text"], tuple(item["segments"]), item["owner"]) for item in row.items)
    return WrittenSummary(row.from_s, row.to_s, row.language, row.text, tuple(items))


def store(lease: Lease, written: WrittenSummary) -> int:
    """Store a summary, and end the request and the attempts; return the meeting's newest `seq`.

    Raises:
        LeaseLost: a newer worker owns the meeting and will write one itself; nothing was stored.
    """
    with changing(lease.meeting_id, lease=lease) as meeting:
        meeting.last_seq += 1
        Summary.objects.create(
            meeting=meeting,
            seq=meeting.last_seq,
            from_s=written.from_s,
            to_s=written.to_s,
            language=written.language,
            text=written.text,
            items=[
                {"kind": item.kind.value, "text": item.text, "owner": item.owner, "segments": list(item.segments)}
                for item in written.items
            ],
        )
        meeting.summary_asked_at = None
        meeting.save(update_fields=("summary_asked_at",))
        SummaryAttempt.objects.filter(meeting=meeting).delete()
        announce(meeting, "summary.ready")
    return meeting.last_seq


def untranslated(meeting_id: str, target: str, *, sources: Collection[str]) -> list[Summary]:
    """Return summaries in one of the languages `sources` without a translation into `target`, newest first."""
    rows = Summary.objects.filter(meeting_id=meeting_id, language__in=sources).exclude(language=target)
    return [summary for summary in rows.order_by("-from_s") if target not in summary.translations]


def texts_of(summary: Summary) -> list[str]:
    """Return the summary's text, then those of its items, as written."""
    return [summary.text, *(item["text"] for item in summary.items)]


def store_translation(
    lease: Lease, summary_id: int, language: str, texts: Sequence[str], *, translated: Sequence[str]
) -> int:
    """Store a translation of a summary; return the meeting's newest `seq`.

    Skipped: translations of other `texts` than the summary has now, and languages with a corrected translation.

    Raises:
        LeaseLost: a newer worker owns the meeting; nothing was stored.
    """
    with changing(lease.meeting_id, lease=lease) as meeting:
        summary = Summary.objects.filter(meeting=meeting, pk=summary_id).first()
        if summary is not None and texts_of(summary) == list(texts) and not is_corrected(summary, language):
            text, *items = translated
            meeting.last_seq += 1
            summary.seq = meeting.last_seq
            summary.translations = {**summary.translations, language: {"text": text, "items": items}}
            summary.save(update_fields=("seq", "translations"))
    return meeting.last_seq


def is_corrected(summary: Summary, language: str) -> bool:
    """Return whether a person has corrected the translation into `language`."""
    return bool(summary.translations.get(language, {}).get("is_fixed"))


def _line(caption: Caption, names: Mapping[str, str]) -> SpokenUtterance:
    speaker = caption.speaker if caption.speaker in names else None
    name = names.get(caption.speaker) or None
    return SpokenUtterance(caption.segment, caption.start, caption.end, caption.text, caption.language, speaker, name)


def _most_spoken(captions: Sequence[Caption]) -> str:
    seconds: dict[str, float] = {}
    for caption in captions:
        seconds[caption.language] = seconds.get(caption.language, 0.0) + caption.end - caption.start
    return max(seconds, key=seconds.__getitem__)
