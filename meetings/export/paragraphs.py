"""Paragraphs of a transcript: captions of one speaker, one after another. Captions stay what they are."""

from __future__ import annotations

from collections.abc import Iterable

from inference.sentences import is_whole
from inference.text import UNSPACED, join_passages
from meetings.export.cues import Cue
from meetings.languages import is_right_to_left

TURN_PAUSE_MS = 2_000
"""Silence that ends a turn, as on the pages of live captions."""
WORDS, MOST_WORDS = 60, 120
"""A paragraph of so many words ends with its sentence, or with its caption."""
LETTERS_A_WORD = 2
"""In a language without spaces."""


def paragraphs(cues: Iterable[Cue]) -> list[list[Cue]]:
    """Return the cues in paragraphs: each of one speaker, one direction of writing and no pause."""
    found: list[list[Cue]] = []
    words = 0
    for cue in cues:
        if not found or _ends(found[-1][-1], cue, words):
            found.append([])
            words = 0
        found[-1].append(cue)
        words += _word_count(cue)
    return found


def joined(paragraph: Iterable[Cue]) -> str:
    """Return the text of a paragraph on one line."""
    return join_passages((cue.line, cue.language) for cue in paragraph)


def named(paragraph: list[Cue]) -> str:
    """Return the text of a paragraph, preceded by the speaker if there is one."""
    speaker = paragraph[0].speaker
    return f"{speaker.label}: {joined(paragraph)}" if speaker else joined(paragraph)


def _ends(last: Cue, cue: Cue, words: int) -> bool:
    """Return whether a paragraph of `words` words ends with its cue `last`."""
    is_other = last.speaker != cue.speaker or is_right_to_left(last.language) != is_right_to_left(cue.language)
    is_long = words >= MOST_WORDS or (words >= WORDS and is_whole(last.line))
    return is_other or is_long or cue.start_ms - last.end_ms >= TURN_PAUSE_MS


def _word_count(cue: Cue) -> int:
    return len(cue.line) // LETTERS_A_WORD if cue.language in UNSPACED else len(cue.line.split())
