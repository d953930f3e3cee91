"""Transcripts as files: WebVTT, SubRip, plain text, Markdown, JSON.

People say anything, and models write down anything, so no text may become structure: a caption stays one line, and
what a format would read as markup is escaped, or where the format has no escape, replaced by a look-alike.
"""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import srt
import webvtt
from webvtt.models import Timestamp

from inference.types import FinalCaption, Word
from meetings.models import Caption, Meeting

BIDI_CONTROLS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
"""Embeddings, overrides and isolates: nobody speaks them, and they can make a line read as another one."""

SUBRIP_LOOKALIKES = str.maketrans({"<": "‹", ">": "›"})
"""SubRip has tags and no escape for them; so also no caption holds its `-->`."""

MARKDOWN_SPECIAL = re.compile(r"([\\`*_\[\]~|])")

SHORTEST_CUE_MS = 1
"""WebVTT wants a cue to end after it starts."""


@dataclass(frozen=True, slots=True)
class Cue:
    """One caption of a transcript, wherever it came from."""

    seq: int
    start: float
    """Seconds since the first sample."""
    end: float
    text: str
    language: str
    """ISO 639-1 code, as spoken."""
    speaker: str | None = None
    """The name that people read; None while nobody knows who spoke."""
    words: tuple[Word, ...] = ()

    @property
    def start_ms(self) -> int:
        return round(self.start * 1000)

    @property
    def end_ms(self) -> int:
        return max(round(self.end * 1000), self.start_ms + SHORTEST_CUE_MS)

    @property
    def line(self) -> str:
        """The text as one line without control characters."""
        return one_line(self.text)


@dataclass(frozen=True, slots=True)
class Transcript:
    """A file to hand out."""

    content_type: str
    body: str


class UnknownFormat(ValueError):
    """There is no transcript of that format."""


def render_transcript(meeting: Meeting, format_name: str) -> Transcript:
    """Everything stored of `meeting`. Raises UnknownFormat."""
    return render_cues(meeting_cues(meeting), format_name, title=meeting.title)


def render_cues(cues: Sequence[Cue], format_name: str, *, title: str) -> Transcript:
    """The cues that say something, as a file of one of FORMATS. Raises UnknownFormat."""
    if format_name not in FORMATS:
        raise UnknownFormat(f"There is no format {format_name!r}; use one of {', '.join(FORMATS)}.")
    content_type, render = FORMATS[format_name]
    return Transcript(content_type, render([cue for cue in cues if cue.line], title))


def meeting_cues(meeting: Meeting) -> list[Cue]:
    """The stored captions in the order of speech."""
    return [_stored_cue(caption) for caption in meeting.captions.order_by("start", "segment")]


def final_cue(seq: int, final: FinalCaption) -> Cue:
    """A caption that is stored nowhere, from a recorded file."""
    return Cue(seq, final.start, final.end, final.text, final.language, words=final.words)


def cue_object(cue: Cue) -> dict[str, Any]:
    """The JSON form of one caption."""
    return {
        "seq": cue.seq,
        "start": cue.start,
        "end": cue.end,
        "speaker": cue.speaker,
        "language": cue.language,
        "text": cue.text,
        "words": [asdict(word) for word in cue.words],
        "translations": {},
    }


def one_line(text: str) -> str:
    """`text` with every run of white space and line ends as one space, and no invisible controls."""
    spaced = " ".join(text.translate(BIDI_CONTROLS).split())
    return "".join(character for character in spaced if unicodedata.category(character) not in ("Cc", "Cs")).strip()


def _stored_cue(caption: Caption) -> Cue:
    words = tuple(Word(**word) for word in caption.words)
    return Cue(caption.seq, caption.start, caption.end, caption.text, caption.language, words=words)


def _named(cue: Cue, text: str) -> str:
    return f"{one_line(cue.speaker)}: {text}" if cue.speaker else text


# Formats -------------------------------------------------------------------------------------------------------------


def _webvtt(cues: Sequence[Cue], title: str) -> str:
    """https://www.w3.org/TR/webvtt1/; the title has no place in it."""
    del title
    captions = [
        webvtt.Caption(str(_timestamp(cue.start_ms)), str(_timestamp(cue.end_ms)), [_voice(cue)]) for cue in cues
    ]
    return webvtt.WebVTT(captions=captions).content.rstrip("\n") + "\n"


def _timestamp(milliseconds: int) -> Timestamp:
    seconds, rest = divmod(milliseconds, 1000)
    return Timestamp(seconds // 3600, seconds // 60 % 60, seconds % 60, rest)


def _voice(cue: Cue) -> str:
    text = html.escape(cue.line, quote=False)
    return f"<v {html.escape(one_line(cue.speaker), quote=False)}>{text}" if cue.speaker else text


def _subrip(cues: Sequence[Cue], title: str) -> str:
    del title
    return str(
        srt.compose(
            srt.Subtitle(
                index,
                timedelta(milliseconds=cue.start_ms),
                timedelta(milliseconds=cue.end_ms),
                _named(cue, cue.line).translate(SUBRIP_LOOKALIKES),
            )
            for index, cue in enumerate(cues, start=1)
        )
    )


def _clock(cue: Cue) -> str:
    stamp = _timestamp(cue.start_ms)
    return f"{stamp.hours}:{stamp.minutes:02}:{stamp.seconds:02}"


def _text(cues: Sequence[Cue], title: str) -> str:
    lines = [f"[{_clock(cue)}] {_named(cue, cue.line)}" for cue in cues]
    return "\n".join([one_line(title), "", *lines]) + "\n"


def _markdown(cues: Sequence[Cue], title: str) -> str:
    """CommonMark; text is escaped for HTML too, which Markdown lets through."""
    paragraphs = [f"**{_clock(cue)}** {_markdown_text(_named(cue, cue.line))}" for cue in cues]
    return "\n\n".join([f"# {_markdown_text(one_line(title))}", *paragraphs]) + "\n"


def _markdown_text(text: str) -> str:
    return MARKDOWN_SPECIAL.sub(r"\\\1", html.escape(text, quote=False))


def _json(cues: Sequence[Cue], title: str) -> str:
    document = {"title": title, "captions": [cue_object(cue) for cue in cues]}
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


FORMATS: dict[str, tuple[str, Callable[[Sequence[Cue], str], str]]] = {
    "vtt": ("text/vtt; charset=utf-8", _webvtt),
    "srt": ("application/x-subrip; charset=utf-8", _subrip),
    "txt": ("text/plain; charset=utf-8", _text),
    "md": ("text/markdown; charset=utf-8", _markdown),
    "json": ("application/json", _json),
}
"""Content type and renderer by the ending of the file's name."""
