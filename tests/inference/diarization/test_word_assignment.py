from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from inference.diarization.turns import SpeakerTurn
from inference.diarization.word_assignment import SpeakerSegment, label_words
from inference.types import Word


def words(*texts: str, start: float = 0.0, step: float = 0.5) -> list[Word]:
    """Words of 0.4 s, one each `step` seconds."""
    return [Word(start + index * step, start + index * step + 0.4, text, 1.0) for index, text in enumerate(texts)]


def spoken(runs: tuple[SpeakerSegment, ...]) -> list[tuple[str | None, str]]:
    return [(run.speaker, " ".join(word.text for word in run.words)) for run in runs]


WORDS = st.lists(
    st.tuples(st.floats(0, 20), st.floats(0.05, 1), st.sampled_from(["so", "yes.", "no?"])), max_size=20
).map(lambda rows: [Word(start, start + length, text, 1.0) for start, length, text in sorted(rows)])
TURNS = st.lists(
    st.tuples(st.floats(0, 20), st.floats(0.2, 8), st.sampled_from(["S1", "S2", "S3", None])), max_size=8
).map(lambda rows: [SpeakerTurn(start, start + length, speaker) for start, length, speaker in rows])


def test_words_are_divided_where_the_speaker_changes() -> None:
    turns = [SpeakerTurn(0.0, 1.45, "S1"), SpeakerTurn(1.45, 3.0, "S2")]
    assert spoken(label_words(words("how", "are", "you?", "I", "am", "fine."), turns)) == [
        ("S1", "how are you?"),
        ("S2", "I am fine."),
    ]


def test_a_turn_that_catches_half_a_word_does_not_flip_it() -> None:
    turns = [SpeakerTurn(0.0, 3.0, "S1"), SpeakerTurn(1.0, 1.3, "S2")]
    assert spoken(label_words(words("we", "should", "really", "go", "now"), turns)) == [
        ("S1", "we should really go now")
    ]


def test_a_short_answer_between_two_sentences_is_its_speakers() -> None:
    turns = [SpeakerTurn(0.0, 0.95, "S1"), SpeakerTurn(0.95, 1.45, "S2"), SpeakerTurn(1.45, 3.0, "S1")]
    assert spoken(label_words(words("shall", "we?", "Yes.", "Then", "go."), turns)) == [
        ("S1", "shall we?"),
        ("S2", "Yes."),
        ("S1", "Then go."),
    ]


def test_words_that_no_turn_touches_go_with_their_neighbours() -> None:
    assert spoken(label_words(words("a", "b", "c"), [SpeakerTurn(0.0, 0.9, "S1")])) == [("S1", "a b c")]


def test_without_turns_it_cannot_be_said_who() -> None:
    assert spoken(label_words(words("a", "b"), [])) == [(None, "a b")]


def test_unsure_turns_stay_unsure() -> None:
    turns = [SpeakerTurn(0.0, 1.45, None), SpeakerTurn(1.45, 3.0, "S2")]
    assert spoken(label_words(words("how", "are", "you?", "I", "am", "fine."), turns)) == [
        (None, "how are you?"),
        ("S2", "I am fine."),
    ]


def test_no_words_no_runs() -> None:
    assert label_words([], [SpeakerTurn(0.0, 1.0, "S1")]) == ()


@given(WORDS, TURNS)
def test_every_word_stands_in_one_run_in_order(said: list[Word], turns: list[SpeakerTurn]) -> None:
    runs = label_words(said, turns)
    assert [word for run in runs for word in run.words] == said
    assert all(earlier.speaker != later.speaker for earlier, later in itertools.pairwise(runs))
    assert {run.speaker for run in runs} <= {turn.speaker for turn in turns} | {None}


@given(WORDS, TURNS)
def test_the_order_in_which_turns_are_listed_does_not_matter(said: list[Word], turns: list[SpeakerTurn]) -> None:
    def total(runs: tuple[SpeakerSegment, ...]) -> list[int]:
        return [len(run.words) for run in runs]

    unique = list({turn.start: turn for turn in turns}.values())
    assert total(label_words(said, unique)) == total(label_words(said, unique[::-1]))
