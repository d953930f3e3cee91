"""Who said what: as the models tell it, as the host corrects it, and what of it stands."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from inference.diarization.turns import SpeakerTurn, SpeakerTurns
from inference.diarization.word_assignment import SpeakerSegment
from inference.translation.translator import Translation, TranslationRequest
from inference.types import FinalCaption, Word
from meetings.models import MAX_SPEAKER_NAME, SPEAKER_COLORS, UNSURE, Caption, Meeting, Speaker
from meetings.store.speakers import (
    NoSuchCaption,
    NoSuchSpeaker,
    TurnIndex,
    UnfitName,
    assign,
    divided_text,
    highest_number,
    label_captions,
    labelled_since,
    merge_speakers,
    present_speakers,
    rename,
    utterances_of,
)
from meetings.store.transcript import Lease, LeaseLost, changes_after, commit, take_lease
from meetings.store.translations import Untranslated, store_translations, untranslated
from tests.inference.doubles import ScriptedTranslator

pytestmark = pytest.mark.django_db

LINE = "Good morning, all. Hello to you."


@pytest.fixture
def meeting() -> Meeting:
    return Meeting.objects.create(title="Budget")


@pytest.fixture
def lease(meeting: Meeting) -> Lease:
    return Lease(meeting.pk, take_lease(meeting.pk).lease_epoch)


def final(segment: str, start: float, text: str = LINE) -> FinalCaption:
    """One word a second."""
    words = tuple(Word(start + place, start + place + 1, word, 0.9) for place, word in enumerate(text.split()))
    return FinalCaption(segment, words[0].start, words[-1].end, text, "en", words)


def say(lease: Lease, *finals: FinalCaption) -> None:
    commit(lease, finals, None)


def turns(*spoken: tuple[float, float, str | None], start: float = 0.0, end: float = 100.0) -> SpeakerTurns:
    return SpeakerTurns(start, end, tuple(SpeakerTurn(*turn) for turn in spoken))


def lines(lease: Lease) -> list[tuple[str, str, str]]:
    rows = Caption.objects.filter(meeting_id=lease.meeting_id).order_by("start", "segment")
    return [(row.segment, row.speaker, row.text) for row in rows]


def test_a_caption_gets_its_speaker(lease: Lease) -> None:
    say(lease, final("000", 0))
    seq = label_captions(lease, turns((0, 6, "S1")))
    assert lines(lease) == [("000", "S1", LINE)]
    assert [row.seq for row in changes_after(lease.meeting_id, 1, limit=9)] == [2, 3] == [seq - 1, seq]


def test_a_caption_is_split_where_the_speaker_changes_and_joined_again(lease: Lease) -> None:
    say(lease, final("000", 0))
    label_captions(lease, turns((0, 3, "S1"), (3, 6, "S2")))
    assert lines(lease) == [("000", "S1", "Good morning, all."), ("000.1", "S2", "Hello to you.")]
    label_captions(lease, turns((0, 6, "S1")))
    assert lines(lease) == [("000", "S1", LINE), ("000.1", "", "")]
    label_captions(lease, turns((0, 3, "S1"), (3, 5, "S2"), (5, 6, None)))
    assert [line[1:] for line in lines(lease)] == [("S1", "Good morning, all."), ("S2", "Hello to"), (UNSURE, "you.")]


def test_the_same_answer_twice_changes_nothing(lease: Lease) -> None:
    say(lease, final("000", 0), final("111", 10))
    known = turns((0, 3, "S1"), (3, 6, "S2"), (10, 16, None))
    seq = label_captions(lease, known)
    assert label_captions(lease, known) == seq
    assert commit(lease, [final("000", 0), final("111", 10)], None) == seq, "nor does a step repeated"


def test_what_is_not_told_to_its_end_waits(lease: Lease) -> None:
    say(lease, final("000", 0), final("111", 10))
    label_captions(lease, turns((0, 12, "S1"), end=12))
    assert [speaker for _, speaker, _ in lines(lease)] == ["S1", ""]


def test_only_what_is_told_anew_is_labelled_anew_and_what_was_never_told(lease: Lease) -> None:
    say(lease, final("000", 0))
    label_captions(lease, turns((0, 6, "S1"), end=8))
    say(lease, final("111", 10), final("222", 20))
    label_captions(lease, turns((0, 6, "S2"), (10, 30, "S2"), start=20, end=30))
    assert [speaker for _, speaker, _ in lines(lease)] == ["S1", "S2", "S2"]


def test_a_name_is_shown_everywhere_and_taken_back(lease: Lease, meeting: Meeting) -> None:
    say(lease, final("000", 0))
    label_captions(lease, turns((0, 6, "S1")))
    seq = rename(meeting.pk, "S1", "  Ana   Sousa ")
    speaker = Speaker.objects.get(meeting=meeting)
    assert (speaker.display_name, speaker.seq, speaker.color) == ("Ana Sousa", seq, SPEAKER_COLORS[0])
    assert rename(meeting.pk, "S1", "Ana Sousa") == seq, "the same name is no change"
    rename(meeting.pk, "S1", "")
    speaker.refresh_from_db()
    assert speaker.display_name == "Speaker 1"


@pytest.mark.parametrize("name", ["x" * (MAX_SPEAKER_NAME + 1), "Ana\u202e", "A\x00"])
def test_names_that_cannot_be_shown(lease: Lease, meeting: Meeting, name: str) -> None:
    say(lease, final("000", 0))
    label_captions(lease, turns((0, 6, "S1")))
    with pytest.raises(UnfitName):
        rename(meeting.pk, "S1", name)


def test_merged_speakers_stay_one(lease: Lease, meeting: Meeting) -> None:
    say(lease, final("000", 0), final("111", 10), final("222", 20))
    known = turns((0, 6, "S1"), (10, 16, "S2"), (20, 26, "S3"))
    label_captions(lease, known)
    merge_speakers(meeting.pk, "S3", "S2")
    merge_speakers(meeting.pk, "S2", "S1")
    assert [speaker for _, speaker, _ in lines(lease)] == ["S1", "S1", "S1"]
    assert [speaker.label for speaker in present_speakers(meeting)] == ["S1"]
    say(lease, final("333", 30))
    label_captions(lease, turns((30, 36, "S3"), start=30))
    assert [speaker for _, speaker, _ in lines(lease)] == ["S1", "S1", "S1", "S1"], "from now on too"
    rename(meeting.pk, "S3", "Ana")
    assert Speaker.objects.get(meeting=meeting, label="S1").name == "Ana", "who is named by an old label is meant"
    assert highest_number(meeting) == 3


def test_a_speaker_of_many_lines_is_merged_in_a_few_statements(
    lease: Lease, meeting: Meeting, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    """One by one, they kept every other writer waiting."""
    say(lease, *(final(f"{number:03}", 10 * number) for number in range(1, 151)))
    known = [(10.0 * number, 10.0 * number + 6, "S2") for number in range(2, 151)]
    label_captions(lease, turns((10, 16, "S1"), *known, end=1_510))
    before = Meeting.objects.get(pk=meeting.pk).last_seq
    with django_assert_max_num_queries(12):
        newest = merge_speakers(meeting.pk, "S2", "S1")
    assert newest == before + 1 + 149, "the speaker, and each line that a screen shows anew"
    found = Caption.objects.filter(meeting=meeting).order_by("start")
    assert {caption.speaker for caption in found} == {"S1"}
    assert [caption.seq for caption in found[1:]] == list(range(before + 2, newest + 1))
    assert {caption.revision for caption in found[1:]} == {found[0].revision + 1}


def test_a_line_that_the_host_gave_away_stays_with_that_speaker(lease: Lease, meeting: Meeting) -> None:
    say(lease, final("000", 0), final("111", 10))
    label_captions(lease, turns((0, 6, "S1"), (10, 16, "S2")))
    assign(meeting.pk, "000", "S2")
    label_captions(lease, turns((0, 3, "S1"), (3, 16, "S3")))
    assert lines(lease) == [("000", "S2", LINE), ("111", "S3", LINE)]


def test_corrections_of_what_is_not_there(lease: Lease, meeting: Meeting) -> None:
    say(lease, final("000", 0))
    label_captions(lease, turns((0, 6, "S1")))
    with pytest.raises(NoSuchSpeaker):
        rename(meeting.pk, "S9", "Ana")
    with pytest.raises(NoSuchSpeaker):
        merge_speakers(meeting.pk, "S1", "S9")
    with pytest.raises(NoSuchCaption):
        assign(meeting.pk, "999", "S1")


def test_a_worker_that_lost_the_meeting_labels_nothing(lease: Lease) -> None:
    say(lease, final("000", 0))
    take_lease(lease.meeting_id)
    with pytest.raises(LeaseLost):
        label_captions(lease, turns((0, 6, "S1")))
    assert lines(lease) == [("000", "", LINE)]


def test_a_split_takes_the_translation_of_the_whole_away(lease: Lease) -> None:
    say(lease, final("000", 0), final("111", 10))
    wanted = untranslated(lease.meeting_id, "pt", sources=["en"], limit=9)
    store_translations(lease, list(zip(wanted, _translated(wanted), strict=True)))
    label_captions(lease, turns((0, 3, "S1"), (3, 6, "S2"), (10, 16, "S1")))
    missing = untranslated(lease.meeting_id, "pt", sources=["en"], limit=9)
    assert [item.text for item in missing] == ["Hello to you.", "Good morning, all."], "a label alone takes none away"


def test_what_a_new_worker_is_told(lease: Lease, meeting: Meeting) -> None:
    say(lease, final("000", 0), final("111", 10), final("222", 20), final("333", 30))
    label_captions(lease, turns((0, 6, "S1"), (10, 16, "S2"), (20, 26, None), end=30))
    assert [(line.start, line.end, line.speaker) for line in labelled_since(meeting, 8)] == [(10, 16, "S2")]


words = st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=6), min_size=1, max_size=12)


@pytest.mark.parametrize("count", [5, 60])
def test_it_reads_as_often_for_many_utterances_as_for_few(
    lease: Lease, count: int, django_assert_max_num_queries: Any
) -> None:
    say(lease, *(final(f"{number:03}", 10 * number) for number in range(count)))
    known = turns(*((10 * number, 10 * number + 6, "S1") for number in range(count)), end=10.0 * count)
    label_captions(lease, known)
    with django_assert_max_num_queries(9):
        label_captions(lease, known)


def test_some_utterances_at_a_time_make_the_same_as_all_at_once(lease: Lease) -> None:
    say(lease, *(final(f"{number:03}", 10 * number) for number in range(7)))
    known = turns(*((5 * place, 5 * place + 5, f"S{place % 3 + 1}") for place in range(14)))
    found = utterances_of(lease.meeting_id, known)
    assert found == [f"{number:03}" for number in range(7)]
    for start in range(0, len(found), 2):
        label_captions(lease, known, found[start : start + 2])
    some = lines(lease)
    label_captions(lease, known)
    assert lines(lease) == some
    assert {speaker for _, speaker, _ in some} == {"S1", "S2", "S3"}


@given(spoken=st.lists(st.tuples(st.floats(0, 50), st.floats(0.01, 20)), max_size=20), at=st.floats(0, 60))
def test_turns_are_found_by_where_they_are(spoken: list[tuple[float, float]], at: float) -> None:
    all_turns = [SpeakerTurn(start, start + length, "S1") for start, length in spoken]
    near = [turn for turn in all_turns if turn.end > at and turn.start < at + 5]
    assert TurnIndex(all_turns).near(at, at + 5) == sorted(near, key=lambda turn: turn.start)


@given(words=words, cuts=st.sets(st.integers(1, 11)))
def test_no_letter_is_lost_by_a_division(words: list[str], cuts: set[int]) -> None:
    text = ", ".join(words) + "."
    edges = [0, *sorted(cut for cut in cuts if cut < len(words)), len(words)]
    timed = [Word(place, place + 1, word, 0.9) for place, word in enumerate(text.split(" "))]
    runs = [SpeakerSegment("S1", tuple(timed[first:last])) for first, last in pairwise(edges)]
    assert " ".join(divided_text(text, runs, "en")) == text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    changes=st.lists(st.lists(st.sampled_from(["S1", "S2", "S3", None]), min_size=6, max_size=6), max_size=4),
)
def test_however_it_is_labelled_the_words_stay(lease: Lease, changes: list[list[str | None]]) -> None:
    Caption.objects.all().delete()
    say(lease, final("000", 0))
    for speakers in changes:
        label_captions(lease, turns(*((place, place + 1, name) for place, name in enumerate(speakers))))
    assert " ".join(text for _, _, text in lines(lease) if text) == LINE
    rows = changes_after(lease.meeting_id, 0, limit=99)
    assert [row.seq for row in rows] == sorted({row.seq for row in rows}), "every change has a number of its own"


def _translated(wanted: list[Untranslated]) -> list[Translation]:
    return ScriptedTranslator().translate([TranslationRequest(item.text, item.source, item.target) for item in wanted])


def test_an_open_caption_names_who_began_and_is_divided_at_its_end(lease: Lease) -> None:
    whole = final("000", 0)
    say(lease, replace(whole, is_open=True))
    label_captions(lease, turns((0, 3, None), (3, 6, "S2")))
    assert lines(lease) == [("000", "", LINE)]
    label_captions(lease, turns((0, 3, "S1"), (3, 6, "S2")))
    assert lines(lease) == [("000", "S1", LINE)]
    say(lease, whole)
    label_captions(lease, turns((0, 3, "S1"), (3, 6, "S2")))
    assert lines(lease) == [("000", "S1", "Good morning, all."), ("000.1", "S2", "Hello to you.")]
