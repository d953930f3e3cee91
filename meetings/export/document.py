"""The content of a transcript file, independent of its format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from meetings.export.cues import Cue
from meetings.export.summary import SummaryDocument


@dataclass(frozen=True, slots=True)
class Document:
    """The transcript that a renderer turns into a file."""

    title: str
    cues: Sequence[Cue]
    """Those with text, in the language of the file."""
    digest: SummaryDocument | None = None
    missing_s: float = 0.0
    """Seconds that were spoken but not received."""
