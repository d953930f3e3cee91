"""What a transcript file is made of, whatever its format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from meetings.export.entries import Entry
from meetings.export.summary import SummaryDocument


@dataclass(frozen=True, slots=True)
class Document:
    """A transcript on its way into a file."""

    title: str
    cues: Sequence[Entry]
    """Those that say something, in the language that is read."""
    digest: SummaryDocument | None = None
    missing_s: float = 0.0
    """Seconds that were spoken and not heard."""
