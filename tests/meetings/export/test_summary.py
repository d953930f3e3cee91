"""The newest summary in the files of a meeting."""

from __future__ import annotations

import html
import json
import re

import pytest
import webvtt
from hypothesis import example, given

from meetings.export.formats import render_cues, render_transcript
from meetings.export.summary import SummaryDocument, SummaryLine
from meetings.models import Meeting, Summary
from meetings.store.serializers import SummaryMessage
from meetings.text import one_line
from tests.meetings.export.test_formats import texts
from tests.meetings.weekly import weekly_meeting


@pytest.fixture
def meeting(db: None) -> Meeting:
    return weekly_meeting()


@pytest.fixture
def summed_up(meeting: Meeting) -> Meeting:
    """With two summaries, of which the newer one is translated; its owner turned out to be somebody else."""
    items = [
        {"kind": "topic", "text": "The budget.", "owner": None, "segments": ["0001.0"]},
        {"kind": "action", "text": "Book the room.", "owner": "S3", "segments": ["0005.0"]},
        {"kind": "action", "text": "Pay.", "owner": None, "segments": ["0005.0"]},
    ]
    translations = {"pt": {"text": "O orçamento.", "items": ["O orçamento.", "Reservar a sala.", "Pagar."]}}
    common = {"meeting": meeting, "from_s": 0.0, "language": "en"}
    Summary.objects.create(**common, seq=20, to_s=9.0, text="The budget.", items=items, translations=translations)
    Summary.objects.create(**common, seq=21, to_s=5.0, text="Old.", items=[])
    return meeting


def test_markdown_begins_with_the_newest_summary(summed_up: Meeting) -> None:
    assert render_transcript(summed_up, "md").body.startswith(
        "# Weekly\n\n## Summary\n\n### Actions\n\n- Book the room. (Ana)\n- Pay.\n\n### Topics\n\n- The budget.\n\n"
        "## Captions\n\n**0:00:01** Ana: first\n\n"
    )


def test_a_summary_is_read_in_the_language_of_the_transcript(summed_up: Meeting) -> None:
    assert (
        "## Resumo\n\n### Ações\n\n- Reservar a sala. (Ana)\n- Pagar.\n"
        in render_transcript(summed_up, "md", "pt").body
    )


@pytest.mark.parametrize(
    ("language", "texts", "read_in"),
    [
        (None, ["The budget.", "Book the room.", "Pay."], "en"),
        ("pt", ["O orçamento.", "Reservar a sala.", "Pagar."], "pt"),
    ],
)
def test_json_has_the_newest_summary_as_on_the_wire(
    summed_up: Meeting, language: str | None, texts: list[str], read_in: str
) -> None:
    summary = json.loads(render_transcript(summed_up, "json", language).body)["summary"]
    assert [item.pop("text") for item in summary["items"]] == texts
    assert summary == {
        "type": "summary",
        "seq": 20,
        "id": str(summed_up.summaries.get(seq=20).pk),
        "from_s": 0.0,
        "to_s": 9.0,
        "language": read_in,
        "text": texts[0],
        "items": [
            {"kind": "topic", "owner": None, "segments": ["0001.0"]},
            {"kind": "action", "owner": "S1", "segments": ["0005.0"]},
            {"kind": "action", "owner": None, "segments": ["0005.0"]},
        ],
    }


def test_subrip_has_no_place_for_a_summary(summed_up: Meeting) -> None:
    assert "budget" not in render_transcript(summed_up, "srt").body


def test_text_begins_with_the_summary_and_webvtt_has_it_as_a_comment(summed_up: Meeting) -> None:
    text, comment = (render_transcript(summed_up, name).body for name in ("txt", "vtt"))
    summary = text.split("\n\n")[1]
    assert "Actions:\n- " in summary
    assert comment.startswith(f"WEBVTT\n\nNOTE\n{summary}\n")
    assert webvtt.from_string(comment).header_comments == [summary]


def test_without_a_summary_there_is_none(meeting: Meeting) -> None:
    assert "##" not in render_transcript(meeting, "md").body
    assert json.loads(render_transcript(meeting, "json").body)["summary"] is None


MESSAGE = SummaryMessage(type="summary", seq=1, id="1", from_s=0.0, to_s=1.0, language="en", text="", items=[])


@given(texts, texts)
@example("--> \n\n00:01.000 --> 00:02.000\n\nno caption", "")
def test_no_item_becomes_a_caption(text: str, owner: str) -> None:
    digest = SummaryDocument(MESSAGE, (SummaryLine("action", text, owner),))
    body = render_cues([], "vtt", title="t", digest=digest).body
    assert webvtt.from_string(body).captions == []
    assert len(render_cues([], "txt", title="t", digest=digest).body.splitlines()) == 6


@given(texts, texts)
@example("# heading", "")
@example("1. one", "2) two")
@example("- a\n- b", "](x)")
@example("+ a", "=")
@example("---", "<b>")
def test_an_item_stays_one_item_of_a_list(text: str, owner: str) -> None:
    digest = SummaryDocument(MESSAGE, (SummaryLine("action", text, one_line(owner)), SummaryLine("action", "Last.")))
    lines = render_cues([], "md", title="t", digest=digest).body.splitlines()
    assert lines[:6] == ["# t", "", "## Summary", "", "### Actions", ""]
    assert lines[7:] == ["- Last.", "", "## Captions"]
    assert not re.match(r"- (?:[-+#=]|\d{1,9}[.)])", lines[6])
    assert not re.search(r"[<>]|(?<!\\)(?:\\\\)*[`*_\[\]~|]", lines[6])
    read = html.unescape(re.sub(r"\\([\\`*_\[\]~|\-+#=.)])", r"\1", lines[6]))
    assert read == f"- {one_line(text)}" + (f" ({one_line(owner)})" if one_line(owner) else "")
