"""Word documents, read back by python-docx."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import zipfile

import docx
import pytest
from docx.document import Document as WordDocument
from docx.oxml.ns import qn
from hypothesis import given, settings

from meetings.export.cues import Cue, CueSpeaker
from meetings.export.formats import render_cues, render_transcript
from meetings.export.summary import SummaryDocument, SummaryLine
from meetings.models import Meeting
from meetings.text import one_line
from tests.meetings.export.test_formats import CUE, are_said, every_hostile_text, languages, texts, transcripts
from tests.meetings.weekly import weekly_meeting


def read(content: bytes) -> WordDocument:
    return docx.Document(io.BytesIO(content))


def rendered(cues: list[Cue], *, title: str = "t", language: str | None = None) -> WordDocument:
    return read(render_cues(cues, "docx", title=title, language=language).content)


def written(text: str) -> str:
    """What XML cannot hold is replaced."""
    return re.sub("[\ufffe\uffff]", "\ufffd", text)


def languages_of(document: WordDocument) -> list[tuple[str, str | None]]:
    """The last run of each caption with the languages it is said to be in, by Word's three kinds."""
    found = []
    for paragraph in document.paragraphs[1:]:
        element = paragraph.runs[-1]._r.rPr.find(qn("w:lang"))
        found.append(*[(name.rpartition("}")[2], code) for name, code in element.attrib.items()])
    return found


@settings(max_examples=30)
@given(transcripts(), languages)
@every_hostile_text
def test_read_back_it_has_the_same_cues_and_text(cues: list[Cue], language: str | None) -> None:
    heading, *paragraphs = rendered(cues, language=language).paragraphs
    assert (heading.style.name, heading.text) == ("Title", "t")
    assert are_said([paragraph.text.partition(" ")[2] for paragraph in paragraphs], cues, language)


@settings(max_examples=30)
@given(texts)
def test_a_title_is_one_line(title: str) -> None:
    document = rendered([], title=title)
    assert [paragraph.text for paragraph in document.paragraphs] == [written(one_line(title))]
    assert document.core_properties.title == written(one_line(title))[:255]


def test_the_same_transcript_is_the_same_file() -> None:
    one, other = (render_cues([CUE], "docx", title="Weekly").content for _ in range(2))
    assert one == other
    with zipfile.ZipFile(io.BytesIO(one)) as archive:
        assert b"2013" not in archive.read("docProps/core.xml")


def test_every_text_says_its_language_and_its_direction() -> None:
    cues = [
        Cue(1, 0, 1, "Yes.", "en"),
        Cue(2, 3, 4, "Sim.", "pt"),
        Cue(3, 4, 5, "نعم 3", "ar", speaker=CueSpeaker("S1", "Ana")),
        Cue(4, 5, 6, "はい", "ja", speaker=CueSpeaker("S2", "ليلى")),
    ]
    document = rendered(cues)
    assert languages_of(document) == [("val", "en"), ("val", "pt"), ("bidi", "ar"), ("eastAsia", "ja")]
    arabic, japanese = document.paragraphs[3:]
    assert [run.font.rtl for run in arabic.runs] == [None, None, True]
    assert [run.font.rtl for run in japanese.runs] == [None, True, None]
    marked = [
        paragraph._p.pPr is not None and paragraph._p.pPr.find(qn("w:bidi")) is not None
        for paragraph in document.paragraphs
    ]
    assert marked == [False, False, False, True, False]


def test_captions_of_a_paragraph_keep_their_languages() -> None:
    cues = [Cue(1, 0, 1, "Sim.", "pt"), Cue(2, 1, 2, "And then.", "en"), Cue(3, 2, 3, "はい", "ja")]
    [_, paragraph] = rendered(cues).paragraphs
    assert [run.text for run in paragraph.runs] == ["0:00:00 ", "Sim. ", "And then. ", "はい"]


def test_a_summary_comes_first_in_its_own_language() -> None:
    items = (
        SummaryLine("topic", "<b>Sala</b>"),
        SummaryLine("action", "Reservar.", "Ana"),
        SummaryLine("topic", "Preço"),
    )
    message = {"language": "pt"}
    content = render_cues([CUE], "docx", title="Weekly", digest=SummaryDocument(message, items)).content  # type: ignore[arg-type]
    assert [(paragraph.style.name, paragraph.text) for paragraph in read(content).paragraphs] == [
        ("Title", "Weekly"),
        ("Heading 1", "Summary"),
        ("Heading 2", "Actions"),
        ("List Bullet", "Reservar. (Ana)"),
        ("Heading 2", "Topics"),
        ("List Bullet", "<b>Sala</b>"),
        ("List Bullet", "Preço"),
        ("Heading 1", "Captions"),
        ("Normal", "1:01:01 Tom & Ana agree."),
    ]


@pytest.mark.django_db
def test_a_meeting_in_another_language() -> None:
    meeting: Meeting = weekly_meeting()
    document = read(render_transcript(meeting, "docx", "pt").content)
    assert [paragraph.text for paragraph in document.paragraphs][1:3] == [
        "0:00:01 Ana: primeiro",
        "0:00:05 Pessoa 2: second",
    ]
    assert languages_of(document)[:2] == [("val", "pt"), ("val", "en")]


def test_no_process_carries_the_library_that_has_written_no_document() -> None:
    code = (
        "import json, sys, meetings.export.formats; "
        "print(json.dumps([name in sys.modules for name in ('docx', 'lxml')]))"
    )
    setup = "import os, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'meetings.settings'; django.setup(); "
    done = subprocess.run([sys.executable, "-c", setup + code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [False, False]
