from __future__ import annotations

import html
import json
import re
from dataclasses import replace

import pytest
import srt
import webvtt
from hypothesis import example, given
from hypothesis import strategies as st

from inference.types import Word
from meetings.exports import Cue, UnknownFormat, one_line, render_cues, render_transcript
from meetings.models import Caption, Meeting

HOSTILE = (
    "a --> b",
    "00:00:00.000 --> 00:00:09.000 line:0",
    "first\n\n2\n00:00:05,000 --> 00:00:06,000\nforged",
    "<script>alert(1)</script>",
    "</v><v Boss>I agree",
    "WEBVTT",
    "NOTE hidden",
    "STYLE\n::cue { display: none }",
    "# heading",
    "[click](javascript:alert(1)) *bold* `code` <b>",
    "&amp; &lt;",
    "\u202egnp.exe\u202c \u2066x\u2069",
    "nul\x00 bell\x07 sep\u2028arated\x85lines\r\nhere",
    "2",
    "سلام \u200f123",
)
texts = st.one_of(
    st.sampled_from(HOSTILE), st.text(max_size=60), st.text(alphabet="<>-& \n\r{}\\:0123,.#*_|", max_size=40)
)
times = st.integers(min_value=0, max_value=359_999_000).map(lambda milliseconds: milliseconds / 1000)


@st.composite
def transcripts(draw: st.DrawFn) -> list[Cue]:
    drawn = draw(st.lists(st.tuples(times, times, texts), max_size=6))
    return [
        Cue(seq, start, start + length / 1000, text, "en")
        for seq, (start, length, text) in enumerate(sorted(drawn), start=1)
    ]


def expected(cues: list[Cue]) -> list[tuple[int, int, str]]:
    return [(cue.start_ms, cue.end_ms, cue.line) for cue in cues if cue.line]


every_hostile_text = example([Cue(n, n, n + 0.5, text, "en") for n, text in enumerate(HOSTILE, start=1)])


@given(transcripts())
@every_hostile_text
def test_webvtt_read_back_has_the_same_cues_and_text(cues: list[Cue]) -> None:
    document = webvtt.WebVTT.from_string(render_cues(cues, "vtt", title="t").body, strict=True)
    read = [
        (caption.start_time.in_milliseconds(), caption.end_time.in_milliseconds(), html.unescape(caption.raw_text))
        for caption in document.captions
    ]
    assert read == expected(cues)
    assert (document.styles, document.regions, document.header_comments) == ([], [], [])


@given(transcripts())
@every_hostile_text
def test_webvtt_text_holds_no_tag(cues: list[Cue]) -> None:
    lines = render_cues(cues, "vtt", title="t").body.splitlines()
    assert not any(set("<>") & set(line) for line in lines if not re.fullmatch(r"[\d:.]+ --> [\d:.]+", line))


@given(transcripts())
@every_hostile_text
def test_subrip_read_back_has_the_same_cues_and_text(cues: list[Cue]) -> None:
    read = [
        (round(cue.start.total_seconds() * 1000), round(cue.end.total_seconds() * 1000), cue.content)
        for cue in srt.parse(render_cues(cues, "srt", title="t").body)
    ]
    assert read == [(start, end, text.replace("<", "‹").replace(">", "›")) for start, end, text in expected(cues)]


@given(transcripts(), texts)
def test_plain_text_has_one_line_a_caption(cues: list[Cue], title: str) -> None:
    heading, blank, *lines = render_cues(cues, "txt", title=title).body.removesuffix("\n").split("\n")
    assert (heading, blank) == (one_line(title), "")
    assert [line.partition("] ")[2] for line in lines] == [text for _, _, text in expected(cues)]


@given(transcripts())
@every_hostile_text
def test_markdown_read_back_has_the_same_text_and_no_markup_of_its_own(cues: list[Cue]) -> None:
    _, *paragraphs = render_cues(cues, "md", title="t").body.removesuffix("\n").split("\n\n")
    written = [paragraph.partition(" ")[2] for paragraph in paragraphs]
    plain = [html.unescape(re.sub(r"\\([\\`*_\[\]~|])", r"\1", text)) for text in written]
    assert plain == [text for _, _, text in expected(cues)]
    assert not any(re.search(r"[<>]|(?<!\\)(?:\\\\)*[`*_\[\]~|]", text) for text in written)


@given(transcripts())
@every_hostile_text
def test_json_keeps_every_text_as_it_was_said(cues: list[Cue]) -> None:
    captions = json.loads(render_cues(cues, "json", title="t").body)["captions"]
    assert [(caption["seq"], caption["text"]) for caption in captions] == [(c.seq, c.text) for c in cues if c.line]


@given(texts)
def test_a_line_has_no_line_ends_and_no_hidden_controls(text: str) -> None:
    line = one_line(text)
    assert line.splitlines() == ([line] if line else [])
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", line)
    assert one_line(line) == line


CUE = Cue(7, 3661.5, 3662.25, "Tom & Ana agree.", "en", words=(Word(3661.5, 3661.9, "Tom", 0.9),))


@pytest.mark.parametrize(
    ("format_name", "body"),
    [
        ("vtt", "WEBVTT\n\n01:01:01.500 --> 01:01:02.250\nTom &amp; Ana agree.\n"),
        ("srt", "1\n01:01:01,500 --> 01:01:02,250\nTom & Ana agree.\n\n"),
        ("txt", "Weekly\n\n[1:01:01] Tom & Ana agree.\n"),
        ("md", "# Weekly\n\n**1:01:01** Tom &amp; Ana agree.\n"),
    ],
)
def test_each_format_looks_as_it_should(format_name: str, body: str) -> None:
    assert render_cues([CUE], format_name, title="Weekly").body == body


def test_a_known_speaker_is_named() -> None:
    spoken = [replace(CUE, speaker="Ana <A>")]
    assert "<v Ana &lt;A&gt;>Tom" in render_cues(spoken, "vtt", title="").body
    assert "\nAna ‹A›: Tom" in render_cues(spoken, "srt", title="").body
    assert "] Ana <A>: Tom" in render_cues(spoken, "txt", title="").body
    assert "** Ana &lt;A&gt;: Tom" in render_cues(spoken, "md", title="").body


def test_json_holds_words_and_times() -> None:
    assert json.loads(render_cues([CUE], "json", title="Weekly").body) == {
        "title": "Weekly",
        "captions": [
            {
                "seq": 7,
                "start": 3661.5,
                "end": 3662.25,
                "speaker": None,
                "language": "en",
                "text": "Tom & Ana agree.",
                "words": [{"start": 3661.5, "end": 3661.9, "text": "Tom", "probability": 0.9}],
                "translations": {},
            }
        ],
    }


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(UnknownFormat, match="'docx'; use one of vtt, srt, txt, md, json"):
        render_cues([], "docx", title="")


@pytest.mark.parametrize(
    ("format_name", "body"),
    [
        ("vtt", "WEBVTT\n"),
        ("srt", ""),
        ("txt", "\n\n"),
        ("md", "# \n"),
        ("json", '{\n "title": "",\n "captions": []\n}\n'),
    ],
)
def test_an_empty_transcript_is_a_valid_file(format_name: str, body: str) -> None:
    assert render_cues([], format_name, title="").body == body


@pytest.mark.django_db
def test_a_meetings_captions_come_in_the_order_of_speech() -> None:
    meeting = Meeting.objects.create(title="Weekly")
    for seq, start, text in ((1, 5.0, "second"), (2, 1.0, "first"), (3, 9.0, "")):
        Caption.objects.create(
            meeting=meeting, segment=f"{start:06}", seq=seq, start=start, end=start + 1, language="en", text=text
        )
    document = render_transcript(meeting, "txt")
    assert document.content_type == "text/plain; charset=utf-8"
    assert document.body == "Weekly\n\n[0:00:01] first\n[0:00:05] second\n"
