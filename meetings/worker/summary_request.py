"""Convert a meeting's rows to a summary request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from inference.summarization.summary import SpokenUtterance, SummaryRequest
from meetings.models import Caption, Speaker
from meetings.store import summaries
from meetings.store.summary_attempts import Due


def summary_request(one: Due) -> SummaryRequest | None:
    """Return the meeting's new captions and its latest notes, or None if there are no new captions."""
    captions = summaries.new_captions(one.meeting_id, one.from_s)
    if not captions:
        return None
    names = dict(Speaker.objects.filter(meeting_id=one.meeting_id).values_list("label", "name"))
    return SummaryRequest(
        lines=tuple(_line(caption, names) for caption in captions),
        language=_most_spoken(captions),
        notes=summaries.latest(one.meeting_id),
    )


def _line(caption: Caption, names: Mapping[str, str]) -> SpokenUtterance:
    speaker = caption.speaker if caption.speaker in names else None
    name = names.get(caption.speaker) or None
    return SpokenUtterance(caption.segment, caption.start, caption.end, caption.text, caption.language, speaker, name)


def _most_spoken(captions: Sequence[Caption]) -> str:
    seconds: dict[str, float] = {}
    for caption in captions:
        seconds[caption.language] = seconds.get(caption.language, 0.0) + caption.end - caption.start
    return max(seconds, key=seconds.__getitem__)
