"""A transcript as a Word document (Office Open XML, ECMA-376 part 1), written by python-docx.

Every run names its language, for spelling and speech output. Right-to-left text is marked, run by run and paragraph by
paragraph (17.3.1.6 `bidi`, 17.3.2.30 `rtl`). Equal transcripts give identical files: nothing in them depends on the
time of creation.
"""

from __future__ import annotations

import io
import re
import unicodedata
import zipfile
from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from inference.text import space_of
from meetings.export.cues import Cue
from meetings.export.document import Document
from meetings.export.paragraphs import paragraphs
from meetings.export.summary import SummaryLine
from meetings.languages import interface_tag, is_right_to_left
from meetings.text import one_line

if TYPE_CHECKING:
    from docx.document import Document as WordDocument
    from docx.text.paragraph import Paragraph
    from docx.text.run import Run

CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

NOT_IN_XML = re.compile("[\ufffe\uffff]")
"""Characters that XML 1.0 excludes and `one_line` keeps."""

MAX_PROPERTY = 255
"""Maximum characters of a title property in python-docx."""

EAST_ASIAN = frozenset({"ja", "ko", "yue", "zh"})
"""Word distinguishes the languages of three kinds of scripts (17.3.2.20 `lang`)."""

EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a ZIP file can hold."""


def word_document(document: Document) -> bytes:
    """Render a title, the summary by its kinds, and the paragraphs: `0:00:05 Ana: What was said.`"""
    import docx

    word = docx.Document()
    _set_properties(word, document.title)
    _write(word.add_heading(level=0), document.title, interface_tag())
    if document.digest:
        _write_summary(word, document)
    for spoken in paragraphs(document.cues):
        _write_spoken(word.add_paragraph(), spoken)
    file = io.BytesIO()
    word.save(file)
    return _without_dates(file)


def visible(text: str) -> str:
    """Return `text` on one line, limited to what XML can hold."""
    return NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", one_line(text))


def _set_properties(word: WordDocument, title: str) -> None:
    properties = word.core_properties
    properties.title, properties.author, properties.comments = visible(title)[:MAX_PROPERTY], "", ""
    properties.language = interface_tag()
    for name in ("created", "modified"):
        for element in properties._element.xpath(f"dcterms:{name}"):
            element.getparent().remove(element)


def _write_summary(word: WordDocument, document: Document) -> None:
    """Write headings in the interface language, items in that of the summary."""
    assert document.digest is not None
    interface, language = interface_tag(), document.digest.message["language"]
    _write(word.add_heading(level=1), _("Summary"), interface)
    for heading, items in document.digest.by_kind():
        _write(word.add_heading(level=2), heading, interface)
        for item in items:
            _write(word.add_paragraph(style="List Bullet"), _item_text(item), language)
    _write(word.add_heading(level=1), _("Captions"), interface)


def _item_text(item: SummaryLine) -> str:
    return f"{item.text} ({item.owner})" if item.owner else item.text


def _write_spoken(paragraph: Paragraph, cues: Sequence[Cue]) -> None:
    """Write captions of one speaker, each in its language: of a translated meeting, some may not be translated."""
    first = cues[0]
    _write(paragraph, first.clock, "", after=" ")
    if first.speaker:
        _write(paragraph, first.speaker.label, "", after=": ").bold = True
    for cue, after in zip_longest(cues, cues[1:]):
        space = space_of(cue.language) or space_of(after.language) if after else ""
        _write(paragraph, cue.line, cue.language, after=space)


def _write(paragraph: Paragraph, text: str, language: str, *, after: str = "") -> Run:
    """Add `text`, then `after`, and set the paragraph's direction by `language`. Empty: a name or a number."""
    run = paragraph.add_run(visible(text) + after)
    is_reversed = is_right_to_left(language) if language else _begins_right_to_left(text)
    if is_reversed:
        run.font.rtl = True
    if language:
        _set_language(run, language, is_reversed=is_reversed)
        _set_direction(paragraph, is_reversed=is_reversed)
    return run


def _begins_right_to_left(text: str) -> bool:
    """Decide by the first letter with a direction, as in Unicode's rule P2 for paragraphs."""
    directions = map(unicodedata.bidirectional, text)
    return next((direction for direction in directions if direction in ("L", "R", "AL")), "L") != "L"


def _set_language(run: Run, language: str, *, is_reversed: bool) -> None:
    from docx.oxml.ns import qn
    from docx.oxml.parser import OxmlElement

    script = "bidi" if is_reversed else "eastAsia" if language in EAST_ASIAN else "val"
    element = OxmlElement("w:lang")
    element.set(qn(f"w:{script}"), language)
    run._r.get_or_add_rPr().append(element)


def _set_direction(paragraph: Paragraph, *, is_reversed: bool) -> None:
    from docx.oxml.ns import qn
    from docx.oxml.parser import OxmlElement

    properties = paragraph._p.get_or_add_pPr()
    if is_reversed and properties.find(qn("w:bidi")) is None:
        properties.append(OxmlElement("w:bidi"))


def _without_dates(file: io.BytesIO) -> bytes:
    """Rewrite the ZIP file with the earliest possible time for every entry."""
    dateless = io.BytesIO()
    with zipfile.ZipFile(file) as dated, zipfile.ZipFile(dateless, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in dated.namelist():
            archive.writestr(zipfile.ZipInfo(name, EARLIEST), dated.read(name), zipfile.ZIP_DEFLATED)
    return dateless.getvalue()
