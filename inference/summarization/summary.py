"""The interface between meetings and summarizers.

The other modules of this package select, write and check the text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class ItemKind(StrEnum):
    """Type of an item."""

    TOPIC = "topic"
    DECISION = "decision"
    ACTION = "action"
    QUESTION = "question"


@dataclass(frozen=True, slots=True)
class SpokenUtterance:
    """One final caption."""

    segment: str
    """Stable id of the caption; items cite it."""
    start: float
    """Seconds since the meeting's first sample."""
    end: float
    text: str
    language: str
    """ISO 639-1 code of the spoken language."""
    speaker: str | None = None
    """Id such as "S1"; None if the speaker is unknown."""
    name: str | None = None
    """The name given by the host, or None."""


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a summary."""

    kind: ItemKind
    text: str
    segments: tuple[str, ...]
    """The captions that support it, in order; never empty."""
    owner: str | None = None
    """For an action: the id of the responsible speaker."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A meeting's summary up to `to_s`."""

    from_s: float
    to_s: float
    language: str
    """ISO 639-1 code of all texts."""
    text: str
    """The topics as short prose; empty if there are none."""
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class SummaryRequest:
    """The new captions and the summary so far."""

    lines: tuple[SpokenUtterance, ...]
    """The captions since `notes`, in order; only those not covered by `notes`."""
    language: str
    """ISO 639-1 code of the meeting's language. Lines in other languages are quoted unchanged."""
    notes: Summary | None = None
    """The meeting's summary so far, in the same language; None for the first one."""


IsCancelled = Callable[[], bool]


class SummaryCancelled(RuntimeError):
    """The caller cancelled the summary; nothing was written."""


class Summarizer(Protocol):
    """Writes summaries. Not thread-safe."""

    label: str
    """Display name of the model, such as "Qwen2.5 0.5B"."""

    def expected_s(self, request: SummaryRequest) -> float:
        """Return the approximate seconds that `summarize` will take, based on earlier runs."""
        ...

    def summarize(
        self, request: SummaryRequest, *, within_s: float, is_cancelled: IsCancelled = lambda: False
    ) -> Summary:
        """Return updated notes. Topics not written within `within_s` seconds are quoted instead.

        Raises:
            SummaryCancelled: `is_cancelled` returned True meanwhile.
        """
        ...
