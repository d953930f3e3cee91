"""Build readable sentences from captions: join fragments, and remove fillers, repetitions and asides."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from inference.sentences import split_sentences
from inference.summarization.summary import SpokenUtterance
from inference.summarization.words import FUNCTION_WORDS, all_stems, content_stems, words_of
from inference.text import space_of

MAX_SENTENCE = 300
"""Maximum characters of a sentence; speech without full stops is split after a clause."""
LONGEST_GAP_S = 2.0
"""Maximum gap between captions of one sentence."""
MOST_CAPTIONS = 3
"""Maximum captions in one sentence; longer ones lack punctuation."""

_ASIDE = re.compile(r"\{[^{}]*\}|\[[^\[\]]*\]|<[^<>]*>|\((?:laugh\w*|risos?|inaudible|inaudível)\)", re.IGNORECASE)
_MARKUP = re.compile(r"[<>|{}\[\]`\x00-\x1f]+")
"""Characters that could form chat template tokens or delimiters."""
_FILLER = re.compile(
    r"(?<![\w'’])(?:u[hm]+|e[rh]m?|h[mu]+m*|mm+(?:[- ]?hmm*)?|uh[- ]huh|ah+n?|ahã|éh?m|you know|i mean|sabe)"
    r"(?![\w'’])[,.]?\s*(?![?])"
    r"|(?<=\s)(?:like|tipo),\s",
    re.IGNORECASE,
)
_REPEAT = re.compile(r"(?<![\w'’])(\w[\w']*(?:\s+\w[\w']*){0,2})((?:[,\s]+\1)+)\b", re.IGNORECASE)
_FRAGMENT = re.compile(r"(?<![\w'’])([^\W\d_]{1,4})(?:\s+\1)*\s+(?=\1\w)", re.IGNORECASE)
"""A word's beginning before the word itself. Short words that look like one ("the theme") stay."""
_OPENING = re.compile(
    r"^(?:(?:so|and|but|okay|ok|yeah|yep|oh|alright|anyway|então|e|mas|tá|né|aí)[,.]?\s+"
    r"|(?:well|yes|no|now|right|all right|bom|bem|sim|não|olha|certo|ah)[,.]\s+)+(?=\w+\W+\w+)",
    re.IGNORECASE,
)
"""Openings that may also carry meaning, such as "no", are only removed with a comma after them."""
_ENDS = re.compile(r"[.!?…][\"'”’»)\]]*$")


_SHORT_WORDS = frozenset().union(*FUNCTION_WORDS.values())


@dataclass(frozen=True)
class SpokenSentence:
    """One spoken sentence and its captions."""

    text: str
    """Tidied; every word occurs in the captions."""
    segments: tuple[str, ...]
    speaker: str | None
    name: str | None
    language: str
    place: int
    """Its index in the meeting's new lines."""

    @cached_property
    def content(self) -> frozenset[str]:
        """The stems of its content words."""
        return frozenset(content_stems(self.text, self.language))

    @cached_property
    def stems(self) -> frozenset[str]:
        """The stems of all its words."""
        return frozenset(all_stems(self.text, self.language))

    @property
    def length(self) -> int:
        """Number of words."""
        return len(words_of(self.text))


def sentences_of(lines: Sequence[SpokenUtterance]) -> list[SpokenSentence]:
    """Return the sentences of `lines` in order, without those that have no words."""
    found = [sentence for turn in _turns(lines) for sentence in _split(turn)]
    return [
        SpokenSentence(text, segments, first.speaker, first.name, first.language, place)
        for place, (text, segments, first) in enumerate(found)
    ]


def tidy(text: str) -> str:
    """Remove asides, fillers, repeated words and turn openings; capitalize the first letter.

    Words are neither added nor changed otherwise.
    """
    text = _FILLER.sub("", clean(text))
    text = _REPEAT.sub(r"\1", _FRAGMENT.sub(_unless_word, text))
    text = _OPENING.sub("", text.strip(" ,;-–"))
    text = re.sub(r"\s+([,.?!;:])", r"\1", " ".join(text.split()))
    return text[:1].upper() + text[1:]


def _unless_word(fragment: re.Match[str]) -> str:
    return fragment.group(0) if fragment.group(1).lower() in _SHORT_WORDS else ""


def clean(text: str) -> str:
    """Return `text` on one line, without asides and characters that could form a delimiter."""
    return " ".join(_MARKUP.sub(" ", _ASIDE.sub(" ", text)).split())


def _turns(lines: Sequence[SpokenUtterance]) -> Iterator[list[SpokenUtterance]]:
    """Yield groups of captions that may share a sentence."""
    turn: list[SpokenUtterance] = []
    for line in lines:
        if turn and not _goes_on(turn, line):
            yield turn
            turn = []
        turn.append(line)
    if turn:
        yield turn


def _goes_on(turn: Sequence[SpokenUtterance], line: SpokenUtterance) -> bool:
    last = turn[-1]
    return (
        len(turn) < MOST_CAPTIONS
        and (last.speaker, last.language) == (line.speaker, line.language)
        and line.start - last.end <= LONGEST_GAP_S
        and not _ENDS.search(last.text.strip())
    )


def _split(turn: Sequence[SpokenUtterance]) -> Iterator[tuple[str, tuple[str, ...], SpokenUtterance]]:
    space = space_of(turn[0].language)
    texts = [" ".join(line.text.split()) for line in turn]
    ends = list(accumulate(len(text) + len(space) for text in texts))
    whole, start = space.join(texts), 0
    for sentence in split_sentences(whole, longest=MAX_SENTENCE):
        start = whole.index(sentence, start)
        end = start + len(sentence)
        segments = tuple(
            line.segment
            for line, first, last in zip(turn, [0, *ends], ends, strict=False)
            if first < end and start < last - len(space)
        )
        start = end
        text = tidy(sentence)
        if words_of(text) and segments:
            yield text, segments, turn[0]
