"""The figures of a pause, from a timeline made by hand: the meeting began at 100, each message is where it came."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.pauses import NoPause, Pause, Told, first_finals, longest_gap, pause_after

STARTED, ASKED = 100.0, 110.0


def partial(at: float, *, provisional: bool = False) -> Told:
    return at, {"type": "partial", "text": "word", "provisional": provisional}


def final(at: float, segment: int, end: float) -> Told:
    return at, {"type": "caption", "segment": str(segment), "end": end, "text": "words"}


def notice(at: float, state: str) -> Told:
    return at, {"type": "notice", "state": state}


TOLD: list[Told] = [
    (100.1, {"type": "hello", "state": "live"}),
    notice(101, "live"),
    partial(104),
    final(106, 1, end=5.5),
    partial(109),
    final(111, 2, end=10.0),
    notice(112, "summarizing"),
    partial(114, provisional=True),
    partial(119, provisional=True),
    notice(122, "catching_up"),
    final(124, 3, end=15.0),
    final(125, 2, end=10.0),
    final(126, 4, end=20.0),
    notice(127, "catching_up"),
    notice(128, "live"),
    partial(129),
    final(131, 5, end=24.0),
]


def test_a_pause_is_what_a_reader_saw_of_it() -> None:
    pause = pause_after(ASKED, TOLD, started=STARTED)
    assert pause == Pause(
        announced_s=2.0,
        away_s=10.0,
        until_live_s=16.0,
        dead_air_s=5.0,
        without_captions_s=13.0,
        slowest_final_s=9.0,
        backlog_s=10.0,
        caught_up_s=4.0,
    )
    assert pause.catch_up_rate == 2.5


def test_an_utterance_that_was_still_spoken_is_no_backlog() -> None:
    told = [message for message in TOLD if message[1].get("segment") not in ("3", "4")]
    pause = pause_after(ASKED, told, started=STARTED)
    assert (pause.backlog_s, pause.caught_up_s, pause.catch_up_rate) == (0.0, 0.0, 0.0)


def test_the_second_pause_is_not_the_first() -> None:
    later: list[Told] = [(at + 50, message) for at, message in TOLD[6:]]
    assert pause_after(135.0, [*TOLD, *later], started=STARTED).announced_s == 27.0


@pytest.mark.parametrize("missing", ["summarizing", "catching_up", "live"])
def test_half_a_pause_is_none(missing: str) -> None:
    told: list[Any] = [message for message in TOLD if message[1].get("state") != missing]
    with pytest.raises(NoPause, match=missing):
        pause_after(ASKED, told, started=STARTED)


@pytest.mark.parametrize(
    ("start", "end", "gap"),
    [(0.0, 10.0, 4.0), (3.5, 4.0, 2.0), (5.0, 9.0, 4.0), (9.5, 10.0, 0.0), (0.0, 1.0, 0.0)],
)
def test_a_gap_counts_where_any_of_it_lies(start: float, end: float, gap: float) -> None:
    assert longest_gap([1.0, 2.0, 3.0, 5.0, 9.0], start, end) == gap


def test_a_revision_is_no_second_final() -> None:
    assert first_finals([final(1, 7, end=0.5), final(2, 7, end=0.5), final(3, 8, end=2.0)]) == [(1, 0.5), (3, 2.0)]
