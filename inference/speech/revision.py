"""Give the words of a second reading to the captions of the first one, so that captions keep their ids and speakers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from inference.audio import SAMPLE_RATE
from inference.speech.second_pass import Piece
from inference.speech.word_alignment import paired_words, word_key
from inference.text import join_texts
from inference.types import Word

NEAREST_S = 1.0
"""Seconds between a word and the caption that it may still belong to."""

PAUSE_S = 0.8
LONGEST_S = 8.0
"""Words that belong to no caption are parted into new ones at this pause, and after this length."""


@dataclass(frozen=True, slots=True)
class Line:
    """A caption of the first reading."""

    segment: str
    start: float
    end: float
    language: str
    text: str
    words: tuple[Word, ...]
    is_fixed: bool = False
    """A person corrected it."""


@dataclass(frozen=True, slots=True)
class Revision:
    """The new text of a caption."""

    line: Line | None
    """None: the words belong to no caption of the first reading."""
    language: str
    text: str
    """Empty: nothing was said there after all."""
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class _Read:
    """A word as it was read again."""

    word: Word
    language: str


def is_whole(lines: Iterable[Line], end: float) -> bool:
    """Return whether no line reaches across `end` (seconds), so that what was read before it can be given to lines.

    `lines` are in the order of time.
    """
    return not any(line.end > end for line in takewhile(lambda line: line.start < end, lines))


def revisions(lines: Sequence[Line], pieces: Sequence[Piece]) -> list[Revision]:
    """Return the captions whose text changes, in order, and new ones at the end.

    Captions that a person corrected stay as they are, and so do those in another language than what was read again at
    their time, and those where nothing could be read.

    Args:
        lines: The captions with text of a part of the recording, in the order of time.
        pieces: The same part as it was read again.
    """
    read = [_Read(word, piece.language) for piece in pieces for word in piece.words]
    given: list[list[_Read]] = [[] for _ in lines]
    rest: list[_Read] = []
    for new, place in _placed(lines, read):
        (rest if place is None else given[place]).append(new)
    found = []
    for line, got in zip(lines, given, strict=True):
        revision = _revision(line, got)
        if _is_open(line, got, pieces) and revision.text != line.text:
            found.append(revision)
    return found + [_revision(None, some) for some in _parted(rest)]


def revised_parts(lines: Sequence[Line], pieces: Iterable[Piece]) -> Iterator[Revision]:
    """Yield the revisions of a whole recording. `lines` and `pieces` are in the order of time."""
    held: list[Piece] = []
    rest = deque(lines)
    for piece in pieces:
        held.append(piece)
        if is_whole(rest, piece.end):
            part = [rest.popleft() for _ in range(len(rest)) if rest[0].start < piece.end]
            yield from revisions(part, held)
            held = []
    yield from revisions(rest, held)


def new_segment(revision: Revision) -> str:
    """Return the id of a new caption: where its first word begins, as for utterances."""
    return f"{round(revision.words[0].start * SAMPLE_RATE):012d}"


def _is_open(line: Line, got: Sequence[_Read], pieces: Sequence[Piece]) -> bool:
    """Return whether the words may replace those of the line."""
    if line.is_fixed or any(one.language != line.language for one in got):
        return False
    middle = (line.start + line.end) / 2
    return bool(got) or any(piece.words and piece.start <= middle < piece.end for piece in pieces)


def _revision(line: Line | None, got: Sequence[_Read]) -> Revision:
    language = got[0].language if got else line.language if line else ""
    words = _in_order([one.word for one in got])
    return Revision(line, language, join_texts([word.text for word in words], language), words)


def _placed(lines: Sequence[Line], read: Sequence[_Read]) -> list[tuple[_Read, int | None]]:
    """Return the words, each with the index of its line; None: it has none."""
    said = [(word, place) for place, line in enumerate(lines) for word in line.words]
    placed: list[tuple[_Read, int | None]] = []
    for old, new in paired_words([word for word, _ in said], [one.word for one in read]):
        if new is None:
            continue
        if old is None:
            placed.append((read[new], _nearest(lines, read[new].word)))
        else:
            word, place = said[old]
            placed.append((_steady(read[new], word), place))
    return placed


def _nearest(lines: Sequence[Line], word: Word) -> int | None:
    """Return the line that holds the word's middle, else the nearest one; None: none is near."""
    middle = (word.start + word.end) / 2
    far = [max(line.start - middle, middle - line.end, 0.0) for line in lines]
    nearest = min(range(len(lines)), key=far.__getitem__, default=None)
    return nearest if nearest is not None and far[nearest] <= NEAREST_S else None


def _steady(read: _Read, old: Word) -> _Read:
    """Return the word at the time of the old one, if that is the same: two readings place it a little differently."""
    if word_key(old) != word_key(read.word):
        return read
    return replace(read, word=replace(read.word, start=old.start, end=old.end))


def _in_order(words: Sequence[Word]) -> tuple[Word, ...]:
    """Return the words with times that never go back."""
    found: list[Word] = []
    for word in words:
        start = max(word.start, found[-1].start) if found else word.start
        found.append(replace(word, start=start, end=max(word.end, start)))
    return tuple(found)


def _parted(read: Sequence[_Read]) -> list[list[_Read]]:
    """Part words at pauses, after LONGEST_S, and where the language changes."""
    parts: list[list[_Read]] = []
    for one in read:
        last = parts[-1][-1] if parts else None
        if (
            last is not None
            and last.language == one.language
            and one.word.start - last.word.end < PAUSE_S
            and one.word.end - parts[-1][0].word.start < LONGEST_S
        ):
            parts[-1].append(one)
        else:
            parts.append([one])
    return parts
