"""The newest summary of a meeting, in the language of the transcript."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _

from meetings.export.cues import speakers_by_label
from meetings.models import Meeting
from meetings.store.serializers import SummaryItem, SummaryMessage, summary


@dataclass(frozen=True, slots=True)
class SummaryLine:
    """One item of a summary."""

    kind: str
    """topic, decision, action or question."""
    text: str
    owner: str = ""
    """Name of the responsible person as shown to people; empty: none."""
    segments: tuple[str, ...] = ()
    """Ids of the captions that it comes from."""
    place: int = 0
    """Index among the stored summary's texts, as in `meetings.store.summary_corrections`; 0: it is not stored."""


@dataclass(frozen=True, slots=True)
class SummaryDocument:
    """A summary for a file."""

    message: SummaryMessage
    """As on the wire, with merged owners replaced."""
    items: tuple[SummaryLine, ...]
    translation: str = ""
    """The language that it is translated into; empty: as written."""

    def by_kind(self) -> Iterator[tuple[str, list[SummaryLine]]]:
        """Yield headings with their items, decisions and actions before topics; empty kinds are left out."""
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
    """Return the summary that reaches furthest, translated if possible; None: there is none."""
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
