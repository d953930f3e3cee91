"""Transcripts as files: WebVTT, SubRip, plain text, Markdown, JSON, Word.

People may say anything and models may write anything, so text must not become structure: no text has line ends of its
own, and markup is escaped, or where the format has no escape, replaced by a look-alike.
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
from django.utils.translation import gettext as _
from webvtt.models import Timestamp

from meetings.export import word_document
from meetings.export.cues import Cue, meeting_cues, require_language, spoken_seconds
from meetings.export.document import Document
from meetings.export.paragraphs import named, paragraphs
from meetings.export.subtitles import Subtitle, subtitles
from meetings.export.summary import SummaryDocument, SummaryLine, newest_summary
from meetings.languages import interface_of
from meetings.models import Meeting
from meetings.text import one_line

SUBRIP_LOOKALIKES = str.maketrans({"<": "‹", ">": "›"})
"""SubRip has tags but no escape for them; this also keeps its `-->` out of captions."""

MARKDOWN_SPECIAL = re.compile(r"([\\`*_\[\]~|])")
MARKDOWN_BLOCK = re.compile(r"^(\d{0,9})([-+#=.)])")
"""Characters that start a list, a heading or a rule at the beginning of a line."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """A rendered transcript file."""

    content_type: str
    content: bytes

    @property
    def body(self) -> str:
        """The content of a text format."""
        return self.content.decode()


class UnknownFormat(ValueError):
    """There is no transcript of that format."""


def render_transcript(meeting: Meeting, format_name: str, language: str | None = None) -> Transcript:
    """Render everything stored of `meeting`; with a `language`, in that language.

    Untranslated captions stay as spoken. JSON always holds both. Headings and speakers without a name are in `language`
    too, if the interface is offered in it.

    Raises:
        UnknownFormat: there is no such format.
        UnknownLanguage, NotTranslated: nothing is there in `language`.
    """
    if language:
        require_language(meeting, language)
    with interface_of(language):
        digest = newest_summary(meeting, language)
    cues = meeting_cues(meeting)
    return render_cues(
        cues, format_name, title=meeting.title, language=language, digest=digest, missing_s=meeting.missing_s
    )


def render_cues(
    cues: Sequence[Cue],
    format_name: str,
    *,
    title: str,
    language: str | None = None,
    digest: SummaryDocument | None = None,
    missing_s: float = 0.0,
) -> Transcript:
    """Render the cues with text as a file of one of FORMATS, with the digest if the format has a place for it.

    Raises:
        UnknownFormat: there is no such format.
    """
    if format_name not in FORMATS:
        raise UnknownFormat(f"There is no format {format_name!r}; use one of {', '.join(FORMATS)}.")
    content_type, render = FORMATS[format_name]
    said = [cue for cue in cues if cue.line]
    if language and format_name in ONE_LANGUAGE:
        said = [cue.in_language(language) for cue in said]
    with interface_of(language):
        return Transcript(content_type, render(Document(title, said, digest, missing_s)))


def cue_object(cue: Cue) -> dict[str, Any]:
    """Return the JSON form of one caption."""
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
    """Return the JSON form of the speakers in `cues`, with their speaking time."""
    return [
        {"id": speaker.id, "name": speaker.name or None, "seconds": round(seconds, 2)}
        for speaker, seconds in spoken_seconds(cues).items()
    ]


# Formats -------------------------------------------------------------------------------------------------------------


def _webvtt(document: Document) -> str:
    """https://www.w3.org/TR/webvtt1/; a summary becomes a comment, which players do not show."""
    captions = [
        webvtt.Caption(str(_timestamp(subtitle.start_ms)), str(_timestamp(subtitle.end_ms)), _voice(subtitle))
        for subtitle in subtitles(document.cues)
    ]
    comments = ["\n".join(_summary_lines(document.digest)).replace("-->", "→")] if document.digest else []
    return webvtt.WebVTT(captions=captions, header_comments=comments).content.rstrip("\n") + "\n"


def _timestamp(milliseconds: int) -> Timestamp:
    seconds, rest = divmod(milliseconds, 1000)
    return Timestamp(seconds // 3600, seconds // 60 % 60, seconds % 60, rest)


def _voice(subtitle: Subtitle) -> str:
    """Return the lines in one voice span, which need not be closed at the end of a cue."""
    text = html.escape("\n".join(subtitle.lines), quote=False)
    return f"<v {_voice_name(subtitle.speaker.label)}>{text}" if subtitle.speaker else text


def _voice_name(name: str) -> str:
    """Escape the name, and a final hyphen by number, because hyphens before the closing bracket would form `-->`."""
    escaped = html.escape(name, quote=False)
    return f"{escaped.removesuffix('-')}&#45;" if escaped.endswith("-") else escaped


def _subrip(document: Document) -> str:
    composed = (
        srt.Subtitle(
            index,
            timedelta(milliseconds=subtitle.start_ms),
            timedelta(milliseconds=subtitle.end_ms),
            "\n".join(subtitle.lines).translate(SUBRIP_LOOKALIKES),
        )
        for index, subtitle in enumerate(subtitles(document.cues, named=True), start=1)
    )
    return str(srt.compose(composed, reindex=False))


def _text(document: Document) -> str:
    lines = [f"[{paragraph[0].clock}] {named(paragraph)}" for paragraph in paragraphs(document.cues)]
    summary = [*_summary_lines(document.digest), ""] if document.digest else []
    return "\n".join([one_line(document.title), "", *summary, *lines]) + "\n"


def _summary_lines(digest: SummaryDocument) -> list[str]:
    """Return plain text: headings, each followed by its items; no line is empty."""
    lines = [_("Summary")]
    for heading, items in digest.by_kind():
        lines += [f"{heading}:", *(_plain_item(item) for item in items)]
    return lines


def _plain_item(item: SummaryLine) -> str:
    return f"- {one_line(item.text)} ({one_line(item.owner)})" if item.owner else f"- {one_line(item.text)}"


def _markdown(document: Document) -> str:
    """CommonMark; text is also escaped for HTML, which Markdown passes through."""
    summary = _markdown_summary(document.digest) if document.digest else []
    blocks = [f"**{run[0].clock}** {_markdown_text(named(run))}" for run in paragraphs(document.cues)]
    return "\n\n".join([f"# {_markdown_text(one_line(document.title))}", *summary, *blocks]) + "\n"


def _markdown_summary(digest: SummaryDocument) -> list[str]:
    """Return a heading and a list for each kind of item, then the heading for the captions."""
    blocks = [f"## {_('Summary')}"]
    for heading, items in digest.by_kind():
        blocks += [f"### {heading}", "\n".join(_markdown_item(item) for item in items)]
    return [*blocks, f"## {_('Captions')}"]


def _markdown_item(item: SummaryLine) -> str:
    text = MARKDOWN_BLOCK.sub(r"\1\\\2", _markdown_text(one_line(item.text)))
    return f"- {text} ({_markdown_text(item.owner)})" if item.owner else f"- {text}"


def _markdown_text(text: str) -> str:
    return MARKDOWN_SPECIAL.sub(r"\\\1", html.escape(text, quote=False))


def _json(document: Document) -> str:
    content = {
        "title": document.title,
        "missing_s": round(document.missing_s, 3),
        "captions": [cue_object(cue) for cue in document.cues],
        "speakers": speaker_objects(document.cues),
        "summary": document.digest.message if document.digest else None,
    }
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def _utf8(render: Callable[[Document], str]) -> Callable[[Document], bytes]:
    return lambda document: render(document).encode()


FORMATS: dict[str, tuple[str, Callable[[Document], bytes]]] = {
    "vtt": ("text/vtt; charset=utf-8", _utf8(_webvtt)),
    "srt": ("application/x-subrip; charset=utf-8", _utf8(_subrip)),
    "txt": ("text/plain; charset=utf-8", _utf8(_text)),
    "md": ("text/markdown; charset=utf-8", _utf8(_markdown)),
    "json": ("application/json", _utf8(_json)),
    "docx": (word_document.CONTENT_TYPE, word_document.word_document),
}
"""Content type and renderer by file extension."""

ONE_LANGUAGE = frozenset(FORMATS) - {"json"}
"""Formats with one text per caption."""

BINARY = frozenset({"docx"})
"""Formats that cannot be shown in a terminal."""

WITHOUT_SUMMARY = frozenset({"srt"})
"""Formats with no place for a summary."""
