"""Whose turn it is among recordings, for whatever comes together."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meetings.worker.recording_scheduler import (
    BRIEF_S,
    MOST_HELD,
    MOST_HELD_EACH,
    TENURE_S,
    TURNS_A_ROUND,
    Places,
    Recording,
    Turns,
    by_urgency,
    crowding_owners,
    left_s,
    next_batch,
    to_take,
)

HOUR_S = 3600.0
simulation = settings(max_examples=20, deadline=None)
PLACES = st.integers(2, 4)


def recordings(prefix: str = "r", *, largest: int = 30) -> st.SearchStrategy[list[Recording]]:
    kinds = st.builds(
        Recording,
        key=st.just(""),
        owner=st.sampled_from([None, 1, 2, 3]),
        is_awaited=st.booleans(),
        left_s=st.floats(0.0, 12 * HOUR_S),
        waited=st.integers(0, 100).map(float),
    )
    return st.lists(kinds, max_size=largest).map(
        lambda found: [replace(one, key=f"{prefix}{number:02}") for number, one in enumerate(found)]
    )


def long_one(key: str, *, owner: int = 1, left_s: float = 3 * HOUR_S, waited: float = 0.0) -> Recording:
    return Recording(key, owner=owner, left_s=left_s, waited=waited)


@settings(deadline=None)
@given(recordings(), st.integers(0, 1000), PLACES)
def test_a_batch_takes_what_is_brief_and_in_each_round_once_what_waited_longest(
    found: list[Recording], turn: int, places: int
) -> None:
    batch = next_batch(found, turn=turn, places=places)
    by_key = {one.key: one for one in found}
    assert len(batch) == len(set(batch)) <= places
    assert set(batch) <= by_key.keys()
    assert bool(batch) == bool(found)
    if not found:
        return
    first, others = by_key[batch[0]], [by_key[key] for key in batch[1:]]
    if turn % TURNS_A_ROUND == 0:
        assert first.waited == max(one.waited for one in found)
    else:
        assert first == by_urgency(found)[0]
    if any(one.is_brief for one in found):
        assert all(one.is_brief for one in others)
    else:
        assert len(batch) == min(places, len(found)), "no place is left empty"


@simulation
@given(recordings(largest=12), PLACES)
def test_each_recording_goes_on_however_many_short_ones_come(found: list[Recording], places: int) -> None:
    """A short one comes with each turn; those that wait lose no turn to it that is theirs."""
    turns = Turns()
    waits = dict.fromkeys((one.key for one in found), 0)
    for number in range(60):
        newcomers = [Recording(f"n{number}-{place}", owner=9, left_s=0.6, is_awaited=True) for place in range(places)]
        batch = turns.next([*found, *newcomers], places=places)
        waits = {key: 0 if key in batch else wait + 1 for key, wait in waits.items()}
        assert all(wait <= TURNS_A_ROUND * len(found) for wait in waits.values())


@settings(deadline=None)
@given(recordings(), PLACES)
def test_the_most_urgent_file_is_read_and_never_more_than_there_are_places(found: list[Recording], places: int) -> None:
    chosen = Places(places).choose(found, 0.0)
    assert chosen <= {one.key for one in found}
    for group in ([one for one in found if one.is_brief], [one for one in found if not one.is_brief]):
        ranked = [one.key for one in by_urgency(group)]
        assert len(chosen & set(ranked)) == min(places, len(group))
        assert set(ranked[: places - 1]) <= chosen


@simulation
@given(st.integers(1, 12), PLACES)
def test_each_long_file_is_read_in_time_although_shorter_ones_keep_coming(count: int, places: int) -> None:
    """Those that come are an hour long: enough to push the others out for ever, if only length counted."""
    chooser = Places(places)
    found = [long_one(f"long{number:02}", left_s=(3 + number) * HOUR_S) for number in range(count)]
    read_at = dict.fromkeys((one.key for one in found), 0.0)
    for step in range(int(count * TENURE_S / 60) * 3):
        now = step * 60.0
        newcomers = [long_one(f"new{step}-{place}", left_s=HOUR_S) for place in range(places)]
        chosen = chooser.choose([*found, *newcomers], now)
        read_at |= dict.fromkeys(chosen & read_at.keys(), now)
        assert all(now - at <= count * (TENURE_S + 60.0) for at in read_at.values())


def test_a_place_got_by_waiting_is_kept_for_a_while() -> None:
    """Opening the file again would decode it from its beginning."""
    chooser = Places(2)
    found = [long_one("a", left_s=HOUR_S), long_one("b"), long_one("c")]
    assert chooser.choose(found, 0.0) == {"a", "b"}
    assert chooser.choose(found, TENURE_S - 1) == {"a", "b"}
    assert chooser.choose(found, TENURE_S) == {"a", "c"}
    assert chooser.choose(found, 2 * TENURE_S - 1) == {"a", "c"}
    assert chooser.choose(found, 2 * TENURE_S) == {"a", "b"}


@settings(deadline=None)
@given(recordings("w"), recordings("h"), PLACES)
def test_taking_keeps_the_bounds_and_leaves_no_place_empty(
    waiting: list[Recording], held: list[Recording], places: int
) -> None:
    taken = to_take(waiting, held, places=places)
    crowding = crowding_owners(held)
    allowed = [one for one in waiting if one.owner is None or one.owner not in crowding]
    if taken is None:
        is_full = len(held) >= MOST_HELD or not [one for one in allowed if one.owner is not None]
        assert is_full or len([one for one in held if not one.is_brief]) >= places
        return
    assert len(held) < MOST_HELD
    owner = next(one.owner for one in waiting if one.key == taken)
    assert sum(one.owner == owner for one in held) < MOST_HELD_EACH
    if sum(not one.is_brief for one in held) < places:
        assert taken == next(one.key for one in waiting if sum(h.owner == one.owner for h in held) < MOST_HELD_EACH)


@pytest.mark.parametrize(
    ("waiting", "taken"),
    [
        ([long_one("another")], None),
        ([long_one("another"), long_one("lecture", left_s=HOUR_S)], "lecture"),
        ([long_one("another"), Recording("clip", owner=1, left_s=23.0)], "clip"),
        ([Recording("clip", owner=1, left_s=23.0), Recording("call", owner=1, left_s=60.0, is_awaited=True)], "call"),
        ([Recording("call", owner=2, left_s=2 * HOUR_S, is_awaited=True)], "call"),
    ],
)
def test_behind_long_recordings_only_shorter_ones_are_taken(waiting: list[Recording], taken: str | None) -> None:
    """Other workers may have a place for another long one."""
    assert to_take(waiting, [long_one("a"), long_one("b")], places=2) == taken


def test_a_person_with_many_recordings_stands_behind_one_with_few() -> None:
    many = [Recording(f"many{number}", owner=1, left_s=20.0) for number in range(5)]
    assert by_urgency([*many, Recording("one", owner=2, left_s=60.0)])[0].key == "one"


@pytest.mark.parametrize(
    ("length_s", "captioned_s", "expected"),
    [(90.0, 60.0, 30.0), (60.0, 60.5, 0.0), (None, 0.0, 30.0), (None, 600.0, 600.0)],
)
def test_what_is_left(length_s: float | None, captioned_s: float, expected: float) -> None:
    assert left_s(length_s, captioned_s) == expected
    assert Recording("x", left_s=expected).is_brief == (expected <= BRIEF_S)
