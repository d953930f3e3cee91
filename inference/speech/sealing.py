"""Seal the words of an utterance while it is spoken, so that readers need not wait for its end.

At fixed places of the audio, ticks, the stretch from a little before the last sealed word is decoded like a final.
Words that end well before the tick are sealed: they are final text. Where ticks fall depends on samples alone, so a
resumed or delayed session seals the same words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from statistics import fmean

from inference.audio import SAMPLE_RATE
from inference.speech.asr import DecodedWord
from inference.speech.vad import VAD_WINDOW


@dataclass(frozen=True, slots=True)
class SealPolicy:
    """Values are in seconds unless noted otherwise. docs/live-policy.md has the measurements behind the defaults."""

    first: float = 2.5
    """Audio of an utterance, including pre-roll, before its first tick."""
    step: float = 2.0
    """Audio between two ticks."""
    hold_back: float = 0.8
    """Words that end closer than this to the tick may still change."""
    context: float = 4.0
    """Audio before the last sealed word that is decoded again. Without it, a quarter more words are wrong."""
    surer: float = 0.2
    """At its end the utterance is decoded as a whole. Its words replace sealed ones that are less probable by this."""
    inserted: float = 0.7
    """Probability from which words are inserted where none were sealed."""
    dropped: float = 0.3
    """Probability below which sealed words are dropped that are not heard again."""
    sure_language: float = 0.9
    """Probability from which a detected language is taken for the whole utterance."""


class TickClock:
    """The ticks of one utterance."""

    def __init__(self, policy: SealPolicy, start: int, *, until: float) -> None:
        """`start`: the utterance's first sample. `until`: seconds after which a cut may fall before the tick."""
        self._step = _windows(policy.step)
        self._next = start + _windows(policy.first)
        self._last = start + round(until * SAMPLE_RATE)

    def is_due(self, position: int) -> bool:
        """Return whether there is a tick at `position`, the end of a window. Ask at each window in turn."""
        if not self._next <= position <= self._last:
            return False
        self._next = position + self._step
        return True


def sealed_by(words: Sequence[DecodedWord], *, until: float) -> int:
    """Return how many of the first words end by `until` seconds."""
    return next((place for place, word in enumerate(words) if word.end > until), len(words))


def shifted(words: Sequence[DecodedWord], seconds: float) -> tuple[DecodedWord, ...]:
    """Return the words with their times moved by `seconds`."""
    return tuple(replace(word, start=word.start + seconds, end=word.end + seconds) for word in words)


def first_after(words: Sequence[DecodedWord], until: float) -> int:
    """Return the place of the first word whose middle lies after `until` seconds."""
    return next((place for place, word in enumerate(words) if word.start + word.end > 2 * until), len(words))


def corrected(
    sealed: Sequence[DecodedWord], decoded: Sequence[DecodedWord], policy: SealPolicy
) -> tuple[DecodedWord, ...]:
    """Return the sealed words, replaced by those of a later decode of the same audio where these are surer."""
    before, after = [comparable(word) for word in sealed], [comparable(word) for word in decoded]
    words: list[DecodedWord] = []
    for kind, first, last, begin, end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        old, new = sealed[first:last], decoded[begin:end]
        words += old if kind == "equal" else _surer_words(old, new, policy)
    return tuple(words)


def comparable(word: DecodedWord) -> str:
    """Return what two decodes of one word have in common: neither case nor punctuation."""
    return "".join(filter(str.isalnum, word.spelling.casefold()))


def _surer_words(old: Sequence[DecodedWord], new: Sequence[DecodedWord], policy: SealPolicy) -> Sequence[DecodedWord]:
    """Return the surer of two texts in one place, word by word if they have as many words."""
    if len(old) == len(new):
        return [
            word if word.probability > was.probability + policy.surer else was
            for was, word in zip(old, new, strict=True)
        ]
    if not old:
        is_surer = _probability(new) > policy.inserted
    elif not new:
        is_surer = _probability(old) < policy.dropped
    else:
        is_surer = _probability(new) > _probability(old) + policy.surer
    return new if is_surer else old


def _probability(words: Sequence[DecodedWord]) -> float:
    return fmean(word.probability for word in words)


def _windows(seconds: float) -> int:
    """Return the seconds in samples, in whole windows of the detector."""
    return max(1, round(seconds * SAMPLE_RATE / VAD_WINDOW)) * VAD_WINDOW
