"""Split captions into sentences. The models were trained on single sentences and drop words from longer text."""

from __future__ import annotations

import re
from collections.abc import Iterator

_SENTENCE_END = re.compile(r"[.!?…؟।][\"'”’»)\]]*\s+|[。！？][」』”’）]*\s*")
_LAST_MARK = re.compile(r"[.!?…؟।。！？][\"'”’»)\]」』）]*$")
_CLAUSE_END = re.compile(r"[,;:،–—]\s+|[，、；：]\s*")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:mr|mrs|ms|dr|prof|st|no|vs|etc|approx|sr|sra|srta|dra|exmo|av|pág|[^\W\d_](?:\.[^\W\d_])*)\.$",
    re.IGNORECASE,
)
"""Titles, common abbreviations and initials, whose full stop does not end a sentence."""


def split_sentences(text: str, *, longest: int) -> list[str]:
    """Split `text` into sentences of at most `longest` characters; joined, they give the text.

    A longer sentence is split after a clause, else between words, else anywhere.
    """
    return [piece for sentence in _sentences(text) for piece in _pieces(sentence, longest)]


def halves(sentence: str) -> tuple[str, str]:
    """Split `sentence` once: after the clause nearest its middle, else between words there, else anywhere."""
    middle = len(sentence) // 2
    cut = _nearest(_CLAUSE_END, sentence, middle) or _nearest(re.compile(r"\s+"), sentence, middle) or middle
    return sentence[:cut].rstrip(), sentence[cut:].lstrip()


def sentence_starts(text: str) -> Iterator[int]:
    """Yield where the sentences after the first begin in `text`."""
    start = 0
    for end in _SENTENCE_END.finditer(text):
        if _ends_sentence(text[start : end.start() + 1], text[end.end() : end.end() + 1]):
            start = end.end()
            yield start


def clause_starts(text: str) -> Iterator[int]:
    """Yield where something begins in `text` after a comma, a colon or a dash."""
    return (end.end() for end in _CLAUSE_END.finditer(text))


def is_whole(text: str) -> bool:
    """Return whether a sentence ends with `text`."""
    return _LAST_MARK.search(text) is not None and not _ABBREVIATION.search(text)


def _sentences(text: str) -> Iterator[str]:
    start = 0
    for next_start in (*sentence_starts(text), len(text)):
        if sentence := text[start:next_start].strip():
            yield sentence
        start = next_start


def _ends_sentence(before: str, after: str) -> bool:
    """Return whether the mark at the end of `before` ends a sentence, judging by abbreviations and the next letter."""
    continues = after.islower() or not after
    return not continues and not _ABBREVIATION.search(before)


def _pieces(sentence: str, longest: int) -> Iterator[str]:
    rest = sentence
    while len(rest) > longest:
        cut = _last(_CLAUSE_END, rest, longest) or _last(re.compile(r"\s+"), rest, longest) or longest
        yield rest[:cut].rstrip()
        rest = rest[cut:].lstrip()
    if rest:
        yield rest


def _last(pattern: re.Pattern[str], text: str, longest: int) -> int:
    """Return the last end of `pattern` in the first `longest` characters, beyond their middle; 0 if none."""
    ends = [match.end() for match in pattern.finditer(text, 0, longest)]
    return ends[-1] if ends and ends[-1] > longest // 2 else 0


def _nearest(pattern: re.Pattern[str], text: str, place: int) -> int:
    """Return the end of `pattern` in `text` nearest to `place`, within the middle half; 0 if none."""
    ends = [match.end() for match in pattern.finditer(text, len(text) // 4, 3 * len(text) // 4)]
    return min(ends, key=lambda end: abs(end - place), default=0)
