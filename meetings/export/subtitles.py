"""Subtitles of a transcript: captions cut, joined and timed so that people can read them.

Two lines of 42 characters (16 full-width ones), 7 s, two frames between subtitles, 17 characters a second and not more
than 20: Netflix' Timed Text Style Guide. A sentence each if possible, gaps of less than a second closed, gone 1.5 s
after the speech at the latest: the BBC's Subtitle Guidelines (3.2, 4.5, 5.2). Decision 25 says what gives way to what.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from math import inf

from inference.sentences import is_whole
from inference.text import space_of
from meetings.export.cues import Cue, CueSpeaker
from meetings.export.cutting import GAP_MS, LINGER_MS, LONGEST_MS, SHORTEST_MS, SUBTITLE, Cutter, TimedPiece
from meetings.export.line_breaks import CLAUSE, SENTENCE, columns, limits_of, pieces
from meetings.export.paragraphs import TURN_PAUSE_MS
from meetings.export.word_times import WordTimes

CLOSED_GAP_MS = 1_000
"""A shorter gap only flickers (BBC 4.5)."""
LATE_MS = 500
"""A subtitle begins so long after its words at most, where the one before has less than SHORTEST_MS otherwise."""
LEAST_MS = 500
"""A subtitle that has no room is shown so long, together with the next."""
SIMULTANEOUS_MS = 500
"""Speech that overlaps for longer is shown together; the end of a shorter one is cut off."""
STOP = SUBTITLE + 1.0
"""What the end of a caption makes a cut cheaper: what can stand alone does."""
NAME = 100.0
"""Cost of a cut within a speaker's name."""


@dataclass(frozen=True, slots=True)
class Subtitle:
    """What is shown at once."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]
    """One or two, without markup."""
    speaker: CueSpeaker | None


@dataclass(frozen=True, slots=True)
class _Spoken:
    """A subtitle that is not timed yet: its words are spoken from `start_ms` to `end_ms`."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]
    speaker: CueSpeaker | None
    needed_ms: float
    """To read it."""


def subtitles(cues: Iterable[Cue], *, named: bool = False) -> list[Subtitle]:
    """Return the words of all cues, each once and in order. `named`: the name of the speaker opens each turn."""
    turns = list(_turns(cue for cue in cues if cue.line))
    spoken: list[_Spoken] = []
    has_named = False
    for turn, after in zip_longest(turns, turns[1:]):
        speaker = turn[0].speaker or (CueSpeaker(None) if has_named else None)
        has_named = has_named or speaker is not None
        spoken += _subtitles_of(turn, f"{speaker.label}:" if named and speaker else "", after)
    return _timed(sorted(spoken, key=lambda subtitle: subtitle.start_ms))


def _turns(cues: Iterable[Cue]) -> Iterator[list[Cue]]:
    """Yield captions of one speaker in one language, one after another and without a pause."""
    turn: list[Cue] = []
    for cue in cues:
        if turn and not _continues(turn[-1], cue):
            yield turn
            turn = []
        turn.append(cue)
    if turn:
        yield turn


def _continues(before: Cue, cue: Cue) -> bool:
    is_alike = (before.speaker, before.language) == (cue.speaker, cue.language)
    return is_alike and -SIMULTANEOUS_MS <= cue.start_ms - before.end_ms < TURN_PAUSE_MS


def _subtitles_of(turn: Sequence[Cue], name: str, after: Sequence[Cue] | None) -> Iterator[_Spoken]:
    limits = limits_of(turn[0].language)
    spoken = _spoken_pieces(turn)
    start = spoken[0].start_ms
    names = [TimedPiece(word, " ", NAME, start, start) for word in name.split()]
    opening = replace(spoken[0], space=" ", cost=NAME)
    table = [*names, opening, *spoken[1:]]
    next_ms = after[0].start_ms if after and after[0].start_ms >= turn[-1].end_ms else inf
    cutter = Cutter(table, limits, next_ms)
    for first, end in cutter.subtitles():
        lines = cutter.lines(first, end)
        needed_ms = sum(map(columns, lines)) / limits.speed * 1000
        yield _Spoken(table[first].start_ms, table[end - 1].end_ms, lines, turn[0].speaker, needed_ms)


def _spoken_pieces(turn: Sequence[Cue]) -> list[TimedPiece]:
    """Return the words of a turn, whose times never go back.

    A cut is best where a caption ends, as that is where somebody stopped.
    """
    language = turn[0].language
    found: list[TimedPiece] = []
    joint, before_ms = SENTENCE, 0
    for cue in turn:
        times = WordTimes(cue)
        for piece in pieces(cue.line, language, times.word_starts):
            start = max(times.start(piece.begin), before_ms)
            before_ms = max(times.end(piece.end), start)
            space = "" if piece.begin and not piece.is_spaced else space_of(language) if not piece.begin else " "
            found.append(TimedPiece(piece.text, space, piece.cost if piece.begin else joint, start, before_ms))
        joint = (SENTENCE if is_whole(cue.line) else CLAUSE) - STOP
    return found


# Times ---------------------------------------------------------------------------------------------------------------


def _timed(spoken: Sequence[_Spoken]) -> list[Subtitle]:
    starts = _starts(spoken)
    return [
        Subtitle(start, _end(subtitle, start, starts, index + 1), subtitle.lines, subtitle.speaker)
        for index, (subtitle, start) in enumerate(zip(spoken, starts, strict=True))
    ]


def _starts(spoken: Sequence[_Spoken]) -> list[int]:
    """Return when each begins: with its words, or a little later, so that a short one before it can be read."""
    starts: list[int] = []
    for index, subtitle in enumerate(spoken):
        start = subtitle.start_ms
        if index:
            start = max(start, starts[-1])
            if _is_before(spoken[index - 1], subtitle.start_ms):
                start = max(start, min(starts[-1] + SHORTEST_MS + GAP_MS, subtitle.start_ms + LATE_MS))
        starts.append(start)
    return starts


def _is_before(subtitle: _Spoken, start_ms: int) -> bool:
    """Return whether what begins at `start_ms` is said after it, not with it."""
    return subtitle.end_ms - SIMULTANEOUS_MS <= start_ms


def _end(subtitle: _Spoken, start: int, starts: Sequence[int], after: int) -> int:
    """Return when it is gone: after its words, when it can have been read, and before the next one comes."""
    following = bisect_left(starts, max(subtitle.end_ms - SIMULTANEOUS_MS, start), after)
    room = starts[following] - GAP_MS if following < len(starts) else inf
    latest = min(start + LONGEST_MS, room)
    wanted = min(start + max(SHORTEST_MS, subtitle.needed_ms), max(subtitle.end_ms + LINGER_MS, start + SHORTEST_MS))
    end = min(max(subtitle.end_ms, wanted), latest)
    if room - end < CLOSED_GAP_MS:
        end = latest
    return max(round(end), start + LEAST_MS)
