"""Subtitles by the rules: docs/transcripts.md says which is from which guide."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.types import Word
from meetings.export.cues import Cue, CueSpeaker
from meetings.export.line_breaks import columns, limits_of
from meetings.export.subtitles import Subtitle, subtitles

ANA, BO = CueSpeaker("S1", "Ana"), CueSpeaker("S2", "Bo")


def spoken(
    text: str, start: float, pace: float = 0.3, *, language: str = "en", speaker: CueSpeaker | None = None
) -> Cue:
    """A caption, each word of which lasts `pace` seconds."""
    words = [
        Word(start + pace * index, start + pace * (index + 1), word, 0.9) for index, word in enumerate(text.split())
    ]
    return Cue(1, start, words[-1].end, text, language, speaker=speaker, words=tuple(words))


def shown(cues: list[Cue], **options: bool) -> list[tuple[str, ...]]:
    return [subtitle.lines for subtitle in subtitles(cues, **options)]


def times(cues: list[Cue]) -> list[tuple[int, int]]:
    return [(subtitle.start_ms, subtitle.end_ms) for subtitle in subtitles(cues)]


@st.composite
def conversations(draw: st.DrawFn) -> list[Cue]:
    """Captions one after another, with and without pauses and times of words; each word is there once."""
    cues: list[Cue] = []
    now, number = 0.0, 0
    for _ in range(draw(st.integers(1, 5))):
        now += draw(st.sampled_from((0.0, 0.05, 0.4, 1.2, 3.0, 20.0)))
        words = []
        for _ in range(draw(st.integers(1, 30))):
            now += draw(st.sampled_from((0.0, 0.0, 0.0, 0.3, 2.0)))
            ending = draw(st.sampled_from(("", "", ",", ".", "?")))
            word = f"{'w' * draw(st.integers(1, 9))}{number}{ending}"
            words.append(Word(now, now + draw(st.sampled_from((0.02, 0.2, 0.5, 1.0))), word, 0.9))
            now, number = words[-1].end, number + 1
        speaker, language = draw(st.sampled_from((None, ANA, BO))), draw(st.sampled_from(("en", "ko")))
        text = " ".join(word.text for word in words)
        known = tuple(words) if draw(st.booleans()) else ()
        cues.append(Cue(1, words[0].start, words[-1].end, text, language, speaker=speaker, words=known))
    return cues


def starts_of_words(cues: list[Cue]) -> dict[str, int]:
    return {word.text: round(word.start * 1000) for cue in cues for word in cue.words}


@given(conversations())
def test_every_word_is_there_once_and_in_order_with_its_speaker(cues: list[Cue]) -> None:
    said = [(cue.speaker, word) for cue in cues for word in cue.text.split()]
    assert [(each.speaker, word) for each in subtitles(cues) for line in each.lines for word in line.split()] == said


@given(conversations(), st.booleans())
def test_there_are_two_lines_at_most_and_each_fits(cues: list[Cue], named: bool) -> None:
    longest = max(limits_of(cue.language).columns for cue in cues)
    for lines in shown(cues, named=named):
        assert 1 <= len(lines) <= 2
        assert all(columns(line) <= longest or " " not in line for line in lines)


@given(conversations())
def test_each_is_shown_with_its_words_long_enough_and_not_at_the_same_time_as_the_next(cues: list[Cue]) -> None:
    found, starts = subtitles(cues), starts_of_words(cues)
    for subtitle in found:
        first = subtitle.lines[0].split()[0]
        assert first not in starts or 0 <= subtitle.start_ms - starts[first] <= 500
        assert 500 <= subtitle.end_ms - subtitle.start_ms <= 7000
    for before, after in pairwise(found):
        assert before.start_ms <= after.start_ms
        room = after.start_ms - 80 - before.start_ms
        assert before.end_ms <= max(after.start_ms - 80, before.start_ms + 500)
        assert before.end_ms - before.start_ms >= min(room, 1000)
        gap = after.start_ms - before.end_ms
        assert gap <= 80 or gap >= 1000 or before.end_ms - before.start_ms == 7000


def test_text_is_cut_at_sentences_and_clauses_and_never_after_an_article() -> None:
    said = "So we looked at the first plan, and we did not like the second one much. But then the other one came up."
    assert shown([spoken(said, 0)]) == [
        ("So we looked at the first plan,", "and we did not like the second one much."),
        ("But then the other one came up.",),
    ]


@pytest.mark.parametrize(
    ("language", "text", "lines"),
    [
        (
            "pt",
            "O presidente da câmara falou hoje sobre o novo hospital",
            ("O presidente da câmara falou hoje", "sobre o novo hospital"),
        ),
        (
            "ja",
            "今日は天気がとても良いので、公園まで散歩に行きましょう。",
            ("今日は天気がとても良いので、", "公園まで散歩に行きましょう。"),
        ),
        (
            "zh",
            "我们去公园散步明天再见然后我们一起去看一场电影吧",
            ("我们去公园散步明天再见然", "后我们一起去看一场电影吧"),
        ),
        ("ko", "오늘 날씨가 아주 좋으니 공원에 산책하러 갑시다", ("오늘 날씨가 아주 좋으니", "공원에 산책하러 갑시다")),
        (
            "ar",
            "نظرنا إلى الخطة الأولى، ثم لم تعجبنا الخطة الثانية كثيرا",
            ("نظرنا إلى الخطة الأولى،", "ثم لم تعجبنا الخطة الثانية كثيرا"),
        ),
    ],
)
def test_each_language_is_broken_by_its_own_rules(language: str, text: str, lines: tuple[str, ...]) -> None:
    assert shown([Cue(1, 0, 5, text, language)]) == [lines]


def test_a_word_that_is_longer_than_a_line_stays_whole() -> None:
    address = f"https://example.org/{'a' * 60}"
    assert shown([Cue(1, 0, 6, f"see {address} now", "en")]) == [("see", address), ("now",)]


def test_text_without_known_words_is_timed_by_its_characters() -> None:
    first, second = subtitles([Cue(1, 10, 20, f"{'a' * 39}. {'b' * 39}.", "en")])
    assert (first.start_ms, second.start_ms) == (10_000, 15_061)


def test_words_that_were_corrected_meanwhile_do_no_harm() -> None:
    cue = Cue(1, 0, 4, "Good evening, Ana.", "en", words=(Word(0, 1, "Good", 0.9), Word(1, 2, "morning,", 0.9)))
    assert times([cue]) == [(0, 4000)]


class TestTimes:
    def test_what_is_short_stays_a_second_and_what_is_fast_until_it_is_read(self) -> None:
        assert times([spoken("Yes.", 5, 0.2)]) == [(5000, 6000)]
        assert times([spoken("a" * 34, 5, 1.2)]) == [(5000, 7000)]

    def test_nothing_stays_longer_than_a_second_and_a_half_after_its_words(self) -> None:
        assert times([spoken("a" * 42, 5, 0.2)]) == [(5000, 6700)]

    def test_a_short_gap_is_closed_up_to_two_frames_and_a_long_one_stays(self) -> None:
        assert times([spoken("One.", 0, 2, speaker=ANA), spoken("Two.", 2.9, 2, speaker=BO)])[0] == (0, 2820)
        assert times([spoken("One.", 0, 2, speaker=ANA), spoken("Two.", 3.1, 2, speaker=BO)])[0] == (0, 2000)

    def test_the_next_waits_a_little_for_a_short_one(self) -> None:
        assert times([spoken("Yes.", 0, 0.7, speaker=ANA), spoken("No.", 0.7, 2, speaker=BO)]) == [
            (0, 1000),
            (1080, 2700),
        ]

    def test_a_short_caption_is_shown_with_the_next_of_its_speaker(self) -> None:
        cues = [spoken("Yes.", 0, 0.3, speaker=ANA), spoken("I think so.", 0.3, 0.5, speaker=ANA)]
        assert shown(cues) == [("Yes. I think so.",)]

    def test_captions_that_can_stand_alone_do(self) -> None:
        cues = [spoken("That was the first.", 0, 0.5, speaker=ANA), spoken("And the second.", 2, 0.5, speaker=ANA)]
        assert shown(cues) == [("That was the first.",), ("And the second.",)]

    def test_what_is_said_at_the_same_time_is_shown_at_the_same_time(self) -> None:
        cues = [spoken("We can go on with the next one.", 0, 0.5, speaker=ANA), spoken("Hm.", 1, 0.4, speaker=BO)]
        assert times([*cues, spoken("Good.", 4.2, 2, speaker=BO)]) == [(0, 4120), (1000, 2000), (4200, 6200)]

    def test_nothing_stays_over_a_long_pause(self) -> None:
        assert shown([spoken("I", 0), spoken("think", 1.9)]) == [("I",), ("think",)]


class TestNames:
    def test_a_name_opens_each_turn_and_counts_for_the_line(self) -> None:
        cues = [
            spoken("So we looked at the first plan, yes.", 0, speaker=ANA),
            spoken("And the second one too.", 2.4, 0.5, speaker=ANA),
            spoken("Fine.", 5, 2, speaker=BO),
        ]
        assert shown(cues, named=True) == [
            ("Ana: So we looked at the first plan, yes.",),
            ("And the second one too.",),
            ("Bo: Fine.",),
        ]

    def test_who_is_not_told_yet_is_not_taken_for_the_one_before(self) -> None:
        cues = [spoken("One.", 0, 2), spoken("Two.", 3, 2, speaker=ANA), spoken("Three.", 6, 2)]
        assert shown(cues, named=True) == [("One.",), ("Ana: Two.",), ("Unknown speaker: Three.",)]

    def test_a_name_is_not_parted_from_the_first_word(self) -> None:
        long = CueSpeaker("S1", "The Right Honourable Member for Nether Wallop")
        found = subtitles([spoken("Hear, hear.", 0, 1, speaker=long)], named=True)
        assert found == [Subtitle(0, 3353, ("The Right Honourable Member", "for Nether Wallop: Hear, hear."), long)]
