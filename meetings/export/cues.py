"""Cues of a transcript: captions in spoken order, with their speakers and translations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from django.utils.translation import gettext as _

from inference.types import Word
from meetings.languages import is_language, language_name
from meetings.models import UNSURE, Caption, Meeting, Speaker, Translation
from meetings.text import one_line

SHORTEST_CUE_MS = 1
"""WebVTT requires a cue to end after it starts."""


class UnknownLanguage(ValueError):
    """There is no language with that code."""


class NotTranslated(LookupError):
    """The meeting has nothing in that language."""


@dataclass(frozen=True, slots=True)
class CueSpeaker:
    """A speaker as shown in a transcript."""

    id: str | None
    """`S1`, `S2` …; None: the speaker could not be determined."""
    name: str = ""
    """As the host named them; may be empty."""

    @property
    def label(self) -> str:
        """The name shown to people, on one line."""
        return one_line(self.name) or (Speaker(label=self.id).display_name if self.id else _("Unknown speaker"))

    @property
    def number(self) -> int:
        """Counted from 1; 0: the speaker could not be determined."""
        return Speaker(label=self.id).number if self.id else 0


@dataclass(frozen=True, slots=True)
class Cue:
    """One caption of a transcript, from any source."""

    seq: int
    start: float
    """Seconds since the first sample."""
    end: float
    text: str
    language: str
    """ISO 639-1 code: as spoken, or of `text` if the transcript is in another language."""
    speaker: CueSpeaker | None = None
    """None: not labelled yet, or without diarization."""
    words: tuple[Word, ...] = ()
    translations: Mapping[str, str] = field(default_factory=dict)
    """Text by language."""
    segment: str = ""
    """The caption's stable id, if it has one."""

    @property
    def start_ms(self) -> int:
        return round(self.start * 1000)

    @property
    def end_ms(self) -> int:
        return max(round(self.end * 1000), self.start_ms + SHORTEST_CUE_MS)

    @property
    def line(self) -> str:
        """The text on one line, without control characters."""
        return one_line(self.text)

    @property
    def clock(self) -> str:
        """Its start as hours, minutes and seconds since the first sample."""
        seconds = self.start_ms // 1000
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"

    def in_language(self, language: str) -> Cue:
        """Return the cue in `language`; an untranslated one stays as spoken."""
        text = self.translations.get(language, "")
        if not one_line(text):
            return self
        return replace(self, text=text, language=language, words=())


def meeting_cues(meeting: Meeting) -> list[Cue]:
    """Return the stored captions with text, in spoken order."""
    speakers = speakers_by_label(meeting)
    rows = meeting.captions.exclude(text="").prefetch_related("translations").order_by("start", "segment")
    return [_stored_cue(caption, speakers) for caption in rows]


def require_language(meeting: Meeting, language: str) -> None:
    """Raise unless `meeting` has a transcript in `language`: it is spoken there, or something is translated.

    Raises:
        UnknownLanguage: the code is unknown; the message is a sentence for people.
        NotTranslated: it is known, but nothing is in it; the message is a sentence for people.
    """
    stored = Translation.objects.filter(caption__meeting=meeting, language=language).exists()
    spoken = language == meeting.language or meeting.captions.filter(language=language).exists()
    if stored or spoken:
        return
    require_known(language)
    raise NotTranslated(_("This meeting has no transcript in %(language)s.") % {"language": language_name(language)})


def require_known(language: str) -> None:
    """Raise UnknownLanguage if the code is unknown; the message is a sentence for people."""
    if not is_language(language):
        raise UnknownLanguage(_("%(code)s is no language code; use one such as en, pt, es.") % {"code": language[:20]})


def spoken_seconds(cues: Iterable[Cue]) -> dict[CueSpeaker, float]:
    """Return the total length of each known speaker's captions, ordered by speaker number."""
    seconds: dict[CueSpeaker, float] = {}
    for cue in cues:
        if cue.speaker and cue.speaker.id:
            seconds[cue.speaker] = seconds.get(cue.speaker, 0.0) + cue.end - cue.start
    return dict(sorted(seconds.items(), key=lambda item: item[0].number))


def speakers_by_label(meeting: Meeting) -> dict[str, CueSpeaker]:
    """Return the speakers of `meeting` by label; merged labels map to the speaker they were merged into."""
    rows = {row.label: row for row in Speaker.objects.filter(meeting=meeting)}
    present = {label: rows.get(row.merged_into, row) for label, row in rows.items()}
    return {UNSURE: CueSpeaker(None)} | {label: CueSpeaker(row.label, row.name) for label, row in present.items()}


def caption_cue(caption: Caption) -> Cue:
    """Return one stored caption as an entry."""
    return _stored_cue(caption, speakers_by_label(caption.meeting))


def _stored_cue(caption: Caption, speakers: Mapping[str, CueSpeaker]) -> Cue:
    """Words are those of the audio, so a corrected text has none."""
    return Cue(
        caption.seq,
        caption.start,
        caption.end,
        caption.text,
        caption.language,
        speaker=speakers.get(caption.speaker),
        words=() if caption.is_text_fixed else tuple(Word(**word) for word in caption.words),
        translations={row.language: row.text for row in caption.translations.all() if row.is_shown},
        segment=caption.segment,
    )
