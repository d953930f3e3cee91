"""Content of the transcript page: every line in the chosen languages, side by side, and the paragraphs they make."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from django.http import HttpRequest
from django.utils.text import capfirst

from inference.text import space_of
from meetings.export.cues import Cue, caption_cue, meeting_cues, require_known
from meetings.export.paragraphs import paragraphs
from meetings.languages import is_right_to_left, language_code, language_name
from meetings.models import SPEAKER_COLORS, Caption, Meeting, Translation
from meetings.text import one_line

SPOKEN = "spoken"
"""In place of a language: as spoken."""


@dataclass(frozen=True, slots=True)
class LanguageFilter:
    """The languages in which a transcript is read."""

    language: str = SPOKEN
    beside: str = ""
    """A second one; empty: none."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The languages, side by side."""
        return (self.language, self.beside) if self.beside and self.beside != self.language else (self.language,)

    @property
    def languages(self) -> tuple[str, ...]:
        """The columns other than as spoken."""
        return tuple(language for language in self.columns if language != SPOKEN)

    @property
    def file_language(self) -> str | None:
        """The language of files to download; None: as spoken."""
        return None if self.language == SPOKEN else self.language


@dataclass(frozen=True, slots=True)
class Wording:
    """The text of a line in one column."""

    text: str
    asked: str
    """The column: a language, or SPOKEN."""
    language: str
    """Of `text`."""
    is_pending: bool
    """It is not translated, or not yet: this is the text as spoken."""

    @property
    def direction(self) -> str:
        return "rtl" if is_right_to_left(self.language) else "ltr"


@dataclass(frozen=True, slots=True)
class Line:
    """One caption of the page."""

    cue: Cue
    wordings: tuple[Wording, ...]
    is_turn: bool
    """Whether the speaker changes here."""
    space: str = ""
    """What stands between it and the line before, in one paragraph."""

    @property
    def color(self) -> int:
        """As in static/css/captions.css: from 1; 0: the speaker is unknown."""
        number = self.cue.speaker.number if self.cue.speaker else 0
        return (number - 1) % len(SPEAKER_COLORS) + 1 if number else 0


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Lines that are read as one text."""

    lines: tuple[Line, ...]

    @property
    def direction(self) -> str:
        """Of the first column."""
        return self.lines[0].wordings[0].direction

    @property
    def is_parted(self) -> bool:
        """Whether it has several lines."""
        return len(self.lines) > 1


def read_choice(language: str, beside: str) -> LanguageFilter:
    """Return the choice. Translations need not exist, as they may change while the page is open.

    Raises:
        UnknownLanguage: a code is unknown; the message is a sentence for people.
    """
    language, beside = (language_code(name) or name for name in (language, beside))
    for code in (language, beside):
        if code not in ("", SPOKEN):
            require_known(code)
    return LanguageFilter(language or SPOKEN, beside)


def requested_choice(request: HttpRequest) -> LanguageFilter:
    """Return the choice in the page's address. Raises UnknownLanguage."""
    return read_choice(request.GET.get("lang", ""), request.GET.get("beside", ""))


def offered(meeting: Meeting, choice: LanguageFilter) -> list[tuple[str, str]]:
    """Return the chosen and the translated languages, with their names as in a list."""
    rows = Translation.objects.filter(caption__meeting=meeting).order_by("language")
    codes = {*rows.values_list("language", flat=True).distinct(), *choice.columns} - {SPOKEN}
    return [(code, capfirst(language_name(code))) for code in sorted(codes)]


def page_paragraphs(meeting: Meeting, choice: LanguageFilter) -> list[Paragraph]:
    """Return the lines of the meeting that have text, in the paragraphs of the file in the same language."""
    cues = [cue for cue in meeting_cues(meeting) if cue.line]
    lines = _lines(cues, choice)
    return [
        Paragraph(tuple(islice(lines, len(run)))) for run in paragraphs(_read(cue, choice.language) for cue in cues)
    ]


def caption_line(caption: Caption, choice: LanguageFilter) -> Line:
    """Return one line by itself."""
    cue = caption_cue(caption)
    return Line(cue, _wordings(cue, choice), is_turn=True)


def _lines(cues: Sequence[Cue], choice: LanguageFilter) -> Iterator[Line]:
    before: Line | None = None
    for cue in cues:
        wordings = _wordings(cue, choice)
        is_turn = cue.speaker is not None and (before is None or cue.speaker != before.cue.speaker)
        space = space_of(before.wordings[0].language) or space_of(wordings[0].language) if before else ""
        before = Line(cue, wordings, is_turn, space)
        yield before


def _wordings(cue: Cue, choice: LanguageFilter) -> tuple[Wording, ...]:
    return tuple(_wording(cue, language) for language in choice.columns)


def _wording(cue: Cue, language: str) -> Wording:
    read = _read(cue, language)
    is_pending = language not in (SPOKEN, read.language)
    return Wording(one_line(read.text), language, read.language, is_pending)


def _read(cue: Cue, language: str) -> Cue:
    return cue if language == SPOKEN else cue.in_language(language)
