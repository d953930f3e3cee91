"""Convert a meeting's rows to a summary request, and a summary to rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from inference.summarization.summary import Item, ItemKind, SpokenUtterance, Summary, SummaryRequest
from meetings.models import Caption, Speaker
from meetings.models import Summary as StoredSummary
from meetings.store import summaries
from meetings.store.summaries import Due, Written


def summary_request(one: Due) -> SummaryRequest | None:
    """Return the meeting's new captions and its latest notes, or None if there are no new captions."""
    captions = summaries.new_captions(one.meeting_id, one.from_s)
    if not captions:
        return None
    names = dict(Speaker.objects.filter(meeting_id=one.meeting_id).values_list("label", "name"))
    earlier = summaries.earlier(one.meeting_id)
    return SummaryRequest(
        lines=tuple(_line(caption, names) for caption in captions),
        language=_most_spoken(captions),
        notes=_notes(earlier[-1]) if earlier else None,
    )


def as_written(summary: Summary) -> Written:
    items = [
        {"kind": item.kind.value, "text": item.text, "owner": item.owner, "segments": list(item.segments)}
        for item in summary.items
    ]
    return Written(summary.from_s, summary.to_s, summary.language, summary.text, items)


def _notes(stored: StoredSummary) -> Summary:
    items = tuple(
        Item(ItemKind(item["kind"]), item["text"], tuple(item["segments"]), item["owner"]) for item in stored.items
    )
    return Summary(stored.from_s, stored.to_s, stored.language, stored.text, items)


def _line(caption: Caption, names: Mapping[str, str]) -> SpokenUtterance:
    speaker = caption.speaker if caption.speaker in names else None
    name = names.get(caption.speaker) or None
    return SpokenUtterance(caption.segment, caption.start, caption.end, caption.text, caption.language, speaker, name)


def _most_spoken(captions: Sequence[Caption]) -> str:
    seconds: dict[str, float] = {}
    for caption in captions:
        seconds[caption.language] = seconds.get(caption.language, 0.0) + caption.end - caption.start
    return max(seconds, key=seconds.__getitem__)
