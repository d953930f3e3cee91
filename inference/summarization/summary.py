"""Summaries as the meetings see them: what was said, what came of it, and who writes.

Which words are chosen and how they are checked is the business of the other modules of this package.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Kind(StrEnum):
    """What an item tells."""

    TOPIC = "topic"
    DECISION = "decision"
    ACTION = "action"
    QUESTION = "question"


@dataclass(frozen=True, slots=True)
class Utterance:
    """One final caption."""

    segment: str
    """Stable id of the caption; items cite it."""
    start: float
    """Seconds since the meeting's first sample."""
    end: float
    text: str
    language: str
    """ISO 639-1, as spoken."""
    speaker: str | None = None
    """Id such as "S1"; None where nobody was told apart."""
    name: str | None = None
    """What the host calls that speaker; None where the host gave no name."""


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a summary."""

    kind: Kind
    text: str
    segments: tuple[str, ...]
    """The captions that say it, in their order; never empty."""
    owner: str | None = None
    """Of an action: the id of the speaker who is to do it."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a meeting was about, up to `to_s`."""

    from_s: float
    to_s: float
    language: str
    """ISO 639-1 code of every text."""
    text: str
    """The topics as short prose; empty while there are none."""
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class SummaryRequest:
    """What is new, and what is known."""

    lines: tuple[Utterance, ...]
    """The captions since `notes`, in their order; only those that `notes` does not cover."""
    language: str
    """ISO 639-1: the language of the meeting. Lines in others are quoted as they were said."""
    notes: Summary | None = None
    """The meeting's summary so far, in the same language; None: this is the first."""


IsCancelled = Callable[[], bool]


class SummaryCancelled(RuntimeError):
    """The caller wanted no summary any more; nothing was written."""


class Summarizer(Protocol):
    """Writes summaries. Not to be called from two threads at once."""

    label: str
    """How people know the model, such as "Qwen2.5 0.5B"."""

    def expected_s(self, request: SummaryRequest) -> float:
        """About how many seconds `summarize` will take, by what earlier runs took."""
        ...

    def summarize(
        self, request: SummaryRequest, *, within_s: float, is_cancelled: IsCancelled = lambda: False
    ) -> Summary:
        """The notes brought up to date. What is not written after `within_s` seconds is quoted instead.

        Raises:
            SummaryCancelled: `is_cancelled` answered True meanwhile.
        """
        ...
