from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby
from operator import itemgetter

import pytest
import srt
import webvtt
from django.utils import translation
from django.utils.translation import get_language
from hypothesis import example, given
from hypothesis import strategies as st

from inference.types import Word
from meetings.export.cues import Cue, CueSpeaker, NotTranslated, UnknownLanguage
from meetings.export.formats import FORMATS, UnknownFormat, render_cues, render_transcript
from meetings.languages import interface_of
from meetings.models import Meeting
from meetings.store.speakers import assign, merge_speakers, rename
from meetings.text import one_line
from tests.meetings.weekly import weekly_meeting

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
UNALIKE = str.maketrans("<>\ufffe\uffff", "‹›\ufffd\ufffd")
"""What SubRip and Word make of characters that they do not have."""
texts = st.one_of(
    st.sampled_from(HOSTILE), st.text(max_size=60), st.text(alphabet="<>-& \n\r{}\\:0123,.#*_|", max_size=40)
)
times = st.integers(min_value=0, max_value=359_999_000).map(lambda milliseconds: milliseconds / 1000)
speakers = st.none() | st.builds(CueSpeaker, st.sampled_from((None, "S1", "S2", "S12")), texts)
translations = st.dictionaries(st.sampled_from(("pt", "ar")), texts)
languages = st.sampled_from((None, "en", "pt", "ar"))


@st.composite
def transcripts(draw: st.DrawFn) -> list[Cue]:
    starts = sorted(draw(st.lists(times, max_size=6)))
    return [
        Cue(
            seq,
            start,
            start + draw(times) / 1000,
            draw(texts),
            "en",
            speaker=draw(speakers),
            translations=draw(translations),
        )
        for seq, start in enumerate(starts, start=1)
    ]


def read_text(cue: Cue, language: str | None) -> str:
    """What stands in a transcript in `language`."""
    return one_line(cue.translations.get(language, "")) or cue.line


def expected(cues: list[Cue], language: str | None) -> list[tuple[int, int, str, str]]:
    with interface_of(language):
        return [
            (cue.start_ms, cue.end_ms, cue.speaker.label if cue.speaker else "", read_text(cue, language))
            for cue in cues
            if cue.line
        ]


def are_said(texts: Iterable[str], cues: list[Cue], language: str | None) -> bool:
    """Whether these are the texts of all cues in order, with names before some of them."""
    with interface_of(language):
        unknown = CueSpeaker(None).label
    said = "".join(
        f"(?:{re.escape(unspaced(f'{name or unknown}:'))})?{re.escape(unspaced(text))}"
        for _, _, name, text in expected(cues, language)
    )
    return re.fullmatch(said.translate(UNALIKE), unspaced("".join(texts)).translate(UNALIKE)) is not None


every_hostile_text = example(
    [
        Cue(n, n, n + 0.5, text, "en", speaker=CueSpeaker("S1", text), translations={"pt": text})
        for n, text in enumerate(HOSTILE, start=1)
    ],
    "pt",
)


def test_what_is_read_in_a_language_is_its_translation_or_else_the_original() -> None:
    cue = Cue(1, 0, 1, "Yes.", "en", translations={"pt": "Sim.", "ar": " \u2066"})
    assert [read_text(cue, language) for language in (None, "en", "pt", "ar")] == ["Yes.", "Yes.", "Sim.", "Yes."]


def one_after_another(cues: list[Cue]) -> list[Cue]:
    """What is said at the same time is shown interleaved; here it is not."""
    ends = [*(cue.start for cue in cues), float("inf")][1:]
    return [replace(cue, end=min(cue.end, end)) for cue, end in zip(cues, ends, strict=True)]


def unspaced(text: str) -> str:
    """Lines are broken at spaces, and where a script has none."""
    return "".join(text.split())


def voice_of(payload: str) -> tuple[str, str]:
    """The voice span's name and the text of a cue."""
    name, text = re.fullmatch(r"(?:<v ([^<>]*)>)?([^<>]*)", payload).groups(default="")
    return html.unescape(name), unspaced(html.unescape(text))


def of_one_voice(spoken: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Names with all that they say before somebody else does."""
    return [(name, "".join(text for _, text in said)) for name, said in groupby(spoken, key=itemgetter(0))]


@given(transcripts(), languages)
@every_hostile_text
def test_webvtt_read_back_has_the_same_text_in_the_same_voices(cues: list[Cue], language: str | None) -> None:
    cues = one_after_another(cues)
    document = webvtt.WebVTT.from_string(render_cues(cues, "vtt", title="t", language=language).body, strict=True)
    read = of_one_voice(voice_of(caption.raw_text) for caption in document.captions)
    assert read == of_one_voice((name, unspaced(text)) for _, _, name, text in expected(cues, language))
    times = [(caption.start_time, caption.end_time) for caption in document.captions]
    assert times == sorted(times)
    assert (document.styles, document.regions, document.header_comments) == ([], [], [])


@given(transcripts(), languages)
@every_hostile_text
def test_webvtt_text_holds_no_tag_but_the_voice(cues: list[Cue], language: str | None) -> None:
    lines = render_cues(cues, "vtt", title="t", language=language).body.splitlines()
    texts = [line for line in lines if not re.fullmatch(r"[\d:.]+ --> [\d:.]+", line)]
    assert not any(set("<>") & set(re.sub(r"^<v [^<>]+>", "", line)) for line in texts)


@given(transcripts(), languages)
@every_hostile_text
def test_subrip_read_back_has_the_same_text_with_names_where_they_are_due(
    cues: list[Cue], language: str | None
) -> None:
    cues = one_after_another(cues)
    read = list(srt.parse(render_cues(cues, "srt", title="t", language=language).body))
    assert [cue.index for cue in read] == list(range(1, len(read) + 1))
    assert are_said([cue.content for cue in read], cues, language)


@given(transcripts(), texts, languages)
def test_plain_text_has_one_line_a_paragraph(cues: list[Cue], title: str, language: str | None) -> None:
    heading, blank, *lines = (
        render_cues(cues, "txt", title=title, language=language).body.removesuffix("\n").split("\n")
    )
    assert (heading, blank) == (one_line(title), "")
    assert are_said([line.partition("] ")[2] for line in lines], cues, language)


@given(transcripts(), languages)
@every_hostile_text
def test_markdown_read_back_has_the_same_text_and_no_markup_of_its_own(cues: list[Cue], language: str | None) -> None:
    _, *paragraphs = render_cues(cues, "md", title="t", language=language).body.removesuffix("\n").split("\n\n")
    written = [paragraph.partition(" ")[2] for paragraph in paragraphs]
    plain = [html.unescape(re.sub(r"\\([\\`*_\[\]~|])", r"\1", text)) for text in written]
    assert are_said(plain, cues, language)
    assert not any(re.search(r"[<>]|(?<!\\)(?:\\\\)*[`*_\[\]~|]", text) for text in written)


@given(transcripts(), languages)
@every_hostile_text
def test_json_keeps_every_text_as_it_was_said_and_all_translations(cues: list[Cue], language: str | None) -> None:
    document = json.loads(render_cues(cues, "json", title="t", language=language).body)
    said = [cue for cue in cues if cue.line]
    assert [(caption["seq"], caption["text"], caption["translations"]) for caption in document["captions"]] == [
        (cue.seq, cue.text, cue.translations) for cue in said
    ]
    assert {caption["speaker"] for caption in document["captions"]} - {None} == {
        speaker["id"] for speaker in document["speakers"]
    }
    assert sum(speaker["seconds"] for speaker in document["speakers"]) == pytest.approx(
        sum(cue.end - cue.start for cue in said if cue.speaker and cue.speaker.id), abs=0.1
    )


@given(texts)
@example("0 \x08\r0")
def test_a_line_has_no_line_ends_and_no_hidden_controls(text: str) -> None:
    line = one_line(text)
    assert line.splitlines() == ([line] if line else [])
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", line)
    assert one_line(line) == line


CUE = Cue(7, 3661.5, 3662.25, "Tom & Ana agree.", "en", words=(Word(3661.5, 3661.9, "Tom", 0.9),))


@pytest.mark.parametrize(
    ("format_name", "body"),
    [
        ("vtt", "WEBVTT\n\n01:01:01.500 --> 01:01:02.500\nTom &amp; Ana agree.\n"),
        ("srt", "1\n01:01:01,500 --> 01:01:02,500\nTom & Ana agree.\n\n"),
        ("txt", "Weekly\n\n[1:01:01] Tom & Ana agree.\n"),
        ("md", "# Weekly\n\n**1:01:01** Tom &amp; Ana agree.\n"),
    ],
)
def test_each_format_looks_as_it_should(format_name: str, body: str) -> None:
    assert render_cues([CUE], format_name, title="Weekly").body == body


def test_a_known_speaker_is_named() -> None:
    spoken = [replace(CUE, speaker=CueSpeaker("S1", "Ana <A>"))]
    assert "<v Ana &lt;A&gt;>Tom" in render_cues(spoken, "vtt", title="").body
    assert "\nAna ‹A›: Tom" in render_cues(spoken, "srt", title="").body
    assert "] Ana <A>: Tom" in render_cues(spoken, "txt", title="").body
    assert "** Ana &lt;A&gt;: Tom" in render_cues(spoken, "md", title="").body


@pytest.mark.parametrize(
    ("speaker", "voice"),
    [
        (None, "Tom"),
        (CueSpeaker(None), "<v Unknown speaker>Tom"),
        (CueSpeaker("S2"), "<v Speaker 2>Tom"),
        (CueSpeaker("S2", "\n"), "<v Speaker 2>Tom"),
        (CueSpeaker("S2", "Ana"), "<v Ana>Tom"),
    ],
)
def test_who_is_unsure_or_has_no_name_is_said_so(speaker: CueSpeaker | None, voice: str) -> None:
    assert f"\n{voice} &amp;" in render_cues([replace(CUE, speaker=speaker)], "vtt", title="").body


def test_json_holds_words_and_times() -> None:
    cue = replace(CUE, speaker=CueSpeaker("S2", "Ana"), translations={"pt": "Tom e Ana concordam."})
    assert json.loads(render_cues([cue], "json", title="Weekly").body) == {
        "title": "Weekly",
        "missing_s": 0.0,
        "captions": [
            {
                "seq": 7,
                "start": 3661.5,
                "end": 3662.25,
                "speaker": "S2",
                "language": "en",
                "text": "Tom & Ana agree.",
                "words": [{"start": 3661.5, "end": 3661.9, "text": "Tom", "probability": 0.9}],
                "translations": {"pt": "Tom e Ana concordam."},
            }
        ],
        "speakers": [{"id": "S2", "name": "Ana", "seconds": 0.75}],
        "summary": None,
    }


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(UnknownFormat, match="'odt'; use one of vtt, srt, txt, md, json, docx"):
        render_cues([], "odt", title="")


@pytest.mark.parametrize(
    ("format_name", "body"),
    [
        ("vtt", "WEBVTT\n"),
        ("srt", ""),
        ("txt", "\n\n"),
        ("md", "# \n"),
        ("json", '{\n "title": "",\n "missing_s": 0.0,\n "captions": [],\n "speakers": [],\n "summary": null\n}\n'),
    ],
)
def test_an_empty_transcript_is_a_valid_file(format_name: str, body: str) -> None:
    assert render_cues([], format_name, title="").body == body


@pytest.fixture
def meeting(db: None) -> Meeting:
    return weekly_meeting()


def test_a_meetings_captions_come_in_the_order_of_speech_with_their_speakers(meeting: Meeting) -> None:
    document = render_transcript(meeting, "txt")
    assert document.content_type == "text/plain; charset=utf-8"
    assert document.body == (
        "Weekly\n\n[0:00:01] Ana: first\n[0:00:05] Speaker 2: second\n[0:00:07] Unknown speaker: who?\n[0:00:08] now\n"
    )


def test_a_transcript_in_another_language_has_what_is_translated(meeting: Meeting) -> None:
    lines = render_transcript(meeting, "txt", "pt").body.splitlines()[2:5]
    assert lines == ["[0:00:01] Ana: primeiro", "[0:00:05] Pessoa 2: second", "[0:00:07] Pessoa desconhecida: who?"]


@pytest.mark.parametrize(
    ("reader", "language", "name"),
    [
        ("en", None, "Speaker 2"),
        ("pt", None, "Pessoa 2"),
        ("pt", "en", "Speaker 2"),
        ("pt-br", "pt", "Pessoa 2"),
        ("pt", "ar", "Pessoa 2"),
    ],
)
def test_who_has_no_name_is_called_as_in_the_language_of_the_file(reader: str, language: str | None, name: str) -> None:
    with translation.override(reader):
        body = render_cues([replace(CUE, speaker=CueSpeaker("S2"))], "txt", title="", language=language).body
        assert get_language() == reader
    assert f"] {name}: Tom" in body


def test_json_of_a_meeting_has_both_texts_whatever_language_is_read(meeting: Meeting) -> None:
    document = json.loads(render_transcript(meeting, "json", "pt").body)
    first = document["captions"][0]
    assert (first["speaker"], first["text"], first["translations"]) == ("S1", "first", {"pt": "primeiro"})
    assert document["speakers"] == [
        {"id": "S1", "name": "Ana", "seconds": 1.0},
        {"id": "S2", "name": None, "seconds": 1.0},
    ]


def test_what_the_host_corrects_is_in_the_next_file(meeting: Meeting) -> None:
    rename(meeting.pk, "S2", "Bo")
    assign(meeting.pk, f"{7.0:06}", "S2")
    merge_speakers(meeting.pk, "S1", "S2")
    voices = re.findall(r"<v ([^>]+)>(\w+)", render_transcript(meeting, "vtt").body)
    assert voices == [("Bo", "first"), ("Bo", "second"), ("Bo", "who")]


@pytest.mark.parametrize("format_name", FORMATS)
def test_the_spoken_language_is_always_there(meeting: Meeting, format_name: str) -> None:
    assert render_transcript(meeting, format_name, "en") == render_transcript(meeting, format_name)


def test_a_language_that_is_not_there_is_refused_with_a_sentence(meeting: Meeting) -> None:
    with pytest.raises(NotTranslated, match=r"^This meeting has no transcript in Spanish\.$"):
        render_transcript(meeting, "txt", "es")
    with pytest.raises(UnknownLanguage, match=r"^tlh is no language code; use one such as en, pt, es\.$"):
        render_transcript(meeting, "txt", "tlh")
