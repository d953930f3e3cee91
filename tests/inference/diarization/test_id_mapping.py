from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inference.diarization.id_mapping import keep_ids
from inference.diarization.turns import SpeakerTurn

TURNS = st.lists(
    st.builds(
        lambda start, length, number: SpeakerTurn(float(start), float(start + length), number and f"S{number}"),
        st.integers(0, 50),
        st.integers(1, 20),
        st.one_of(st.none(), st.integers(1, 5)),
    ),
    max_size=20,
)


def turn(start: float, end: float, number: int | None) -> SpeakerTurn:
    return SpeakerTurn(start, end, number and f"S{number}")


def test_a_speaker_keeps_the_id_under_which_it_spoke_most() -> None:
    known = [turn(0, 4, 1), turn(4, 10, 2), turn(20, 30, 3)]
    turns = [turn(0, 10, 1), turn(20, 30, 2)]
    assert keep_ids(turns, known, next_number=3) == (turn(0, 10, 2), turn(20, 30, 3))


def test_no_id_goes_to_two_speakers_and_the_seconds_of_all_decide() -> None:
    """Both spoke most as S1; the first may have it only because the second was S2 as well."""
    known = [turn(0, 10, 1), turn(10, 20, 1), turn(20, 24, 2)]
    turns = [turn(0, 10, 1), turn(10, 24, 2)]
    assert keep_ids(turns, known, next_number=2) == (turn(0, 10, 1), turn(10, 24, 2))


def test_whom_nobody_knew_gets_a_number_that_nobody_had() -> None:
    known = [turn(0, 5, 1), turn(5, 6, None)]
    turns = [turn(0, 5, 1), turn(5, 6, 2), turn(8, 9, 3), turn(9, 10, None)]
    expected = (turn(0, 5, 1), turn(5, 6, 8), turn(8, 9, 9), turn(9, 10, None))
    assert keep_ids(turns, known, next_number=7) == expected


def test_a_short_turn_inside_of_a_long_one_shares_its_time() -> None:
    known = [turn(0, 100, 4), turn(1, 2, 5), turn(50, 51, 6)]
    assert keep_ids([turn(90, 99, 1)], known, next_number=6) == (turn(90, 99, 4),)


def test_nothing_known_or_nothing_new_is_no_matter() -> None:
    assert keep_ids([], [turn(0, 1, 1)], next_number=1) == ()
    assert keep_ids([turn(0, 1, 1)], [], next_number=3) == (turn(0, 1, 4),)


@given(TURNS, TURNS)
def test_speakers_stay_apart_and_times_stay(turns: list[SpeakerTurn], known: list[SpeakerTurn]) -> None:
    kept = keep_ids(turns, known, next_number=5)
    assert [(one.start, one.end) for one in kept] == [(one.start, one.end) for one in turns]
    pairs = {(before.speaker, after.speaker) for before, after in zip(turns, kept, strict=True)}
    assert len({before for before, _ in pairs}) == len({after for _, after in pairs}) == len(pairs)
    assert all((before is None) == (after is None) for before, after in pairs)


@given(TURNS)
def test_what_did_not_change_keeps_its_ids(turns: list[SpeakerTurn]) -> None:
    named = [one for one in turns if one.speaker]
    apart = [SpeakerTurn(30.0 * index, 30.0 * index + 1, one.speaker) for index, one in enumerate(named)]
    assert keep_ids(apart, apart, next_number=5) == tuple(apart)
