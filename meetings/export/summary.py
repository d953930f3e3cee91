"""What a transcript says first: the newest summary of its meeting, in the language that is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _

from meetings.export.entries import speakers_by_label
from meetings.models import Meeting
from meetings.store.serializers import SummaryItem, SummaryMessage, summary


@dataclass(frozen=True, slots=True)
class SummaryLine:
    """One line of a summary."""

    kind: str
    """topic, decision, action or question."""
    text: str
    owner: str = ""
    """What people read of who is to do it; empty: nobody is named."""
    segments: tuple[str, ...] = ()
    """Ids of the captions that it comes from."""
    place: int = 0
    """Among the stored summary's texts, as `meetings.store.summary_corrections` counts them; 0: it is not stored."""


@dataclass(frozen=True, slots=True)
class SummaryDocument:
    """A summary for a file."""

    message: SummaryMessage
    """As on the wire, with owners as they are now: whoever turned out to be somebody else is that one."""
    items: tuple[SummaryLine, ...]
    translation: str = ""
    """The language that it is translated into; empty: it is read as it was written."""

    def by_kind(self) -> Iterator[tuple[str, list[SummaryLine]]]:
        """What is to be done before what was talked about, each under its heading; empty kinds are left out."""
        headings = {
            "decision": _("Decisions"),
            "action": _("Actions"),
            "question": _("Questions"),
            "topic": _("Topics"),
        }
        for kind, heading in headings.items():
            items = [item for item in self.items if item.kind == kind]
            if items:
                yield heading, items


def newest_summary(meeting: Meeting, language: str | None) -> SummaryDocument | None:
    """The summary that reaches furthest, translated where it is; None where nothing is summed up."""
    row = meeting.summaries.order_by("-to_s", "-seq").first()
    if row is None:
        return None
    message = summary(row, language or "")
    speakers = speakers_by_label(meeting)
    owners = [speakers.get(item["owner"] or "") for item in message["items"]]
    items: list[SummaryItem] = [
        {**item, "owner": owner.id if owner else item["owner"]}
        for item, owner in zip(message["items"], owners, strict=True)
    ]
    lines = tuple(
        SummaryLine(item["kind"], item["text"], owner.label if owner else "", tuple(item["segments"]), place)
        for place, (item, owner) in enumerate(zip(items, owners, strict=True), start=1)
    )
    translation = language if language and language in row.translations else ""
    return SummaryDocument({**message, "items": items}, lines, translation)
