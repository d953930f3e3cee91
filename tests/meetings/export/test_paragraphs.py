from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from meetings.export.cues import Cue, CueSpeaker
from meetings.export.formats import render_cues
from meetings.export.paragraphs import joined, paragraphs
from tests.meetings.export.test_formats import transcripts

ANA, BO = CueSpeaker("S1", "Ana"), CueSpeaker("S2", "Bo")
FIRST = Cue(1, 0, 4, "That was the first.", "en", speaker=ANA)
LONG = "one two three four five six seven eight nine ten"


@pytest.mark.parametrize(
    ("change", "count"),
    [
        ({}, 1),
        ({"start": 5.9}, 1),
        ({"start": 6.0}, 2),
        ({"speaker": BO}, 2),
        ({"speaker": None}, 2),
        ({"language": "pt"}, 1),
        ({"language": "ar"}, 2),
    ],
)
def test_a_paragraph_ends_at_a_pause_another_speaker_or_another_direction(
    change: dict[str, object], count: int
) -> None:
    second = replace(FIRST, start=4, end=8)
    assert len(paragraphs([FIRST, replace(second, **change)])) == count  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "language", "lengths"),
    [
        (f"{LONG}.", "en", [6, 6, 1]),
        (LONG, "en", [12, 1]),
        ("一二三四五六七八九十一二三四五六七八九。", "zh", [6, 6, 1]),
    ],
)
def test_a_long_one_ends_with_its_sentence_or_much_longer_with_its_caption(
    text: str, language: str, lengths: list[int]
) -> None:
    cues = [Cue(n, n, n + 1, text, language) for n in range(13)]
    assert [len(paragraph) for paragraph in paragraphs(cues)] == lengths


def test_texts_are_joined_as_their_languages_are_written() -> None:
    said = (("Yes.", "en"), ("Sim.", "pt"), ("今天天气很好。", "zh"), ("我们走吧。", "zh"))
    assert joined(Cue(n, n, n + 1, *spoken) for n, spoken in enumerate(said)) == "Yes. Sim. 今天天气很好。我们走吧。"


@given(transcripts())
def test_every_caption_is_in_one_paragraph(cues: list[Cue]) -> None:
    assert [cue for paragraph in paragraphs(cues) for cue in paragraph] == cues


@pytest.mark.parametrize(
    ("format_name", "lines"),
    [
        ("txt", ["[0:00:00] Ana: That was the first. And the second.", "[0:00:08] Bo: Fine."]),
        ("md", ["**0:00:00** Ana: That was the first. And the second.", "**0:00:08** Bo: Fine."]),
    ],
)
def test_a_file_names_the_speaker_once_a_paragraph(format_name: str, lines: list[str]) -> None:
    cues = [FIRST, replace(FIRST, start=4, end=8, text="And the second."), Cue(3, 8, 9, "Fine.", "en", speaker=BO)]
    written = render_cues(cues, format_name, title="t").body
    assert [line for line in written.splitlines() if line][1:] == lines
