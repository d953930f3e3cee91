"""Transcripts as files: WebVTT, SubRip, plain text, Markdown, JSON.

People say anything, and models write down anything, so no text may become structure: a caption stays one line, and
what a format would read as markup is escaped, or where the format has no escape, replaced by a look-alike.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import srt
import webvtt
from webvtt.models import Timestamp

from meetings.cues import Cue, meeting_cues, one_line, require_language, spoken_seconds
from meetings.models import Meeting

SUBRIP_LOOKALIKES = str.maketrans({"<": "‹", ">": "›"})
"""SubRip has tags and no escape for them; so also no caption holds its `-->`."""

MARKDOWN_SPECIAL = re.compile(r"([\\`*_\[\]~|])")


@dataclass(frozen=True, slots=True)
class Transcript:
    """A file to hand out."""

    content_type: str
    body: str


class UnknownFormat(ValueError):
    """There is no transcript of that format."""


def render_transcript(meeting: Meeting, format_name: str, language: str | None = None) -> Transcript:
    """Everything stored of `meeting`; with a `language`, as it is read in that one.

    What is not translated stands as it was said. JSON always holds both.

    Raises:
        UnknownFormat: there is no such format.
        UnknownLanguage, NotTranslated: nothing is there in `language`.
    """
    if language:
        require_language(meeting, language)
    return render_cues(meeting_cues(meeting), format_name, title=meeting.title, language=language)


def render_cues(cues: Sequence[Cue], format_name: str, *, title: str, language: str | None = None) -> Transcript:
    """The cues that say something, as a file of one of FORMATS. Raises UnknownFormat."""
    if format_name not in FORMATS:
        raise UnknownFormat(f"There is no format {format_name!r}; use one of {', '.join(FORMATS)}.")
    content_type, render = FORMATS[format_name]
    said = [cue for cue in cues if cue.line]
    if language and format_name in ONE_LANGUAGE:
        said = [cue.in_language(language) for cue in said]
    return Transcript(content_type, render(said, title))


def cue_object(cue: Cue) -> dict[str, Any]:
    """The JSON form of one caption."""
    return {
        "seq": cue.seq,
        "start": cue.start,
        "end": cue.end,
        "speaker": cue.speaker.id if cue.speaker else None,
        "language": cue.language,
        "text": cue.text,
        "words": [asdict(word) for word in cue.words],
        "translations": dict(cue.translations),
    }


def speaker_objects(cues: Sequence[Cue]) -> list[dict[str, Any]]:
    """The JSON form of those who speak in `cues`, and for how long."""
    return [
        {"id": speaker.id, "name": speaker.name or None, "seconds": round(seconds, 2)}
        for speaker, seconds in spoken_seconds(cues).items()
    ]


def _named(cue: Cue) -> str:
    return f"{cue.speaker.label}: {cue.line}" if cue.speaker else cue.line


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
    return f"<v {html.escape(cue.speaker.label, quote=False)}>{text}" if cue.speaker else text


def _subrip(cues: Sequence[Cue], title: str) -> str:
    del title
    subtitles = (
        srt.Subtitle(
            index,
            timedelta(milliseconds=cue.start_ms),
            timedelta(milliseconds=cue.end_ms),
            _named(cue).translate(SUBRIP_LOOKALIKES),
        )
        for index, cue in enumerate(cues, start=1)
    )
    return str(srt.compose(subtitles, reindex=False))


def _clock(cue: Cue) -> str:
    stamp = _timestamp(cue.start_ms)
    return f"{stamp.hours}:{stamp.minutes:02}:{stamp.seconds:02}"


def _text(cues: Sequence[Cue], title: str) -> str:
    lines = [f"[{_clock(cue)}] {_named(cue)}" for cue in cues]
    return "\n".join([one_line(title), "", *lines]) + "\n"


def _markdown(cues: Sequence[Cue], title: str) -> str:
    """CommonMark; text is escaped for HTML too, which Markdown lets through."""
    paragraphs = [f"**{_clock(cue)}** {_markdown_text(_named(cue))}" for cue in cues]
    return "\n\n".join([f"# {_markdown_text(one_line(title))}", *paragraphs]) + "\n"


def _markdown_text(text: str) -> str:
    return MARKDOWN_SPECIAL.sub(r"\\\1", html.escape(text, quote=False))


def _json(cues: Sequence[Cue], title: str) -> str:
    document = {
        "title": title,
        "captions": [cue_object(cue) for cue in cues],
        "speakers": speaker_objects(cues),
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


FORMATS: dict[str, tuple[str, Callable[[Sequence[Cue], str], str]]] = {
    "vtt": ("text/vtt; charset=utf-8", _webvtt),
    "srt": ("application/x-subrip; charset=utf-8", _subrip),
    "txt": ("text/plain; charset=utf-8", _text),
    "md": ("text/markdown; charset=utf-8", _markdown),
    "json": ("application/json", _json),
}
"""Content type and renderer by the ending of the file's name."""

ONE_LANGUAGE = frozenset(FORMATS) - {"json"}
"""Formats with room for one text a caption."""
