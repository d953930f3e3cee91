"""Reject hallucinated text before it is shown.

The thresholds for no-speech, log-probability and compression are those of Whisper's decoding loop (Radford et al. 2022,
section 4.5). The share of speech and the loop checks are our own. People repeat themselves ("go, go, go", prayers,
bingo), so a loop is told by repetition that cannot have been spoken: too fast, without duration, or unsure. Babble, the
voices of guests in a restaurant, is told by three doubts at once: whether anybody speaks, in which language, and what.
A rejected hypothesis is dropped completely and never enters a later prompt.
"""

from __future__ import annotations

import re
from dataclasses import replace
from enum import StrEnum
from itertools import takewhile
from math import log

from inference.repetition import COMPRESSION_RATIO, compression_ratio, longest_run
from inference.speech.asr import Hypothesis
from inference.speech.language_id import NEGLIGIBLE

NO_SPEECH = 0.6
UNSURE_LOG_PROBABILITY = -1.0
HOPELESS_LOG_PROBABILITY = -1.6
"""Text below this log-probability is always rejected."""
LEAST_SPEECH_S = 0.1
"""Minimum seconds of detected speech in an utterance."""

_SIGN = r"[\u0e00-\u0eff\u0f00-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]"
"""A letter of a script without spaces, or of Korean, whose syllables are signs too."""
SURE_SPEECH = 0.95
"""Speech probability that a window reaches when somebody speaks to be heard, on the telephone and at −45 dB too."""
GUESSED = -1.5
"""Log-probability of the best language plus that of the text, below which both are guessed."""
GUESSED_BRIEF = -2.1
"""The same for BRIEF_S of speech and less: "mm-hmm" is never sure."""
BRIEF_S = 1.0

STRETCHED = re.compile(r"((?![\u3400-\u9fff\uac00-\ud7af])[^\W\d])\1{3}")
"""A letter repeated four times is a cry ("Ahhhhh!"), not a word. Ideographs and Korean syllables are words."""

SHORT_WORD = 3.0
"""Mean letters up to which words are short."""
FASTEST_SHORT_WORDS = 7.5
FASTEST_WORDS = 5.5
FASTEST_SIGNS = 10.0
"""Words or signs per second of speech beyond which nobody repeats a phrase."""
FLAT_WORD_S = 0.03
MOST_FLAT_WORDS = 0.25
"""Share of words without duration: a decoder in a loop aligns them all with one place."""
UNSURE_LOOP_LOG_PROBABILITY = -0.7
REPETITIONS = {1: 7, 2: 7} | dict.fromkeys(range(3, 31), 3)
"""Consecutive repetitions that make a phrase of so many words or signs a possible loop."""
UTTERANCE_TAIL_S = 0.06
"""Words that begin closer than this to the end of the audio were not heard."""


class Rejection(StrEnum):
    """Why a hypothesis is not shown."""

    NO_SPEECH = "no speech"
    IMPROBABLE = "improbable"
    REPETITIVE = "repetitive"
    BABBLE = "babble"
    EMPTY = "empty"


DOUBTFUL = frozenset({Rejection.IMPROBABLE, Rejection.REPETITIVE})
"""There was speech, but the text is implausible, so another decode is worthwhile."""


WORDLESS = frozenset({Rejection.NO_SPEECH, Rejection.BABBLE, Rejection.EMPTY})
"""Nobody said a word that can be understood."""


def without_tail(hypothesis: Hypothesis, *, audio_s: float) -> Hypothesis:
    """Drop the words beyond the audio: a decoder that does not stop piles them up at the end."""
    audible = takewhile(lambda word: word.start < audio_s - UTTERANCE_TAIL_S, hypothesis.words)
    return replace(hypothesis, words=tuple(audible))


def rejection(hypothesis: Hypothesis, *, speech_s: float, surest: float = 1.0) -> Rejection | None:
    """Return why to drop `hypothesis`, or None to keep it.

    Args:
        speech_s: Seconds of detected speech in its audio.
        surest: The highest speech probability of a window of it.
    """
    if all(STRETCHED.search(word) for word in _words(hypothesis.text)):
        return Rejection.EMPTY
    if speech_s < LEAST_SPEECH_S:
        return Rejection.NO_SPEECH
    if hypothesis.no_speech > NO_SPEECH and hypothesis.mean_log_probability < UNSURE_LOG_PROBABILITY:
        return Rejection.NO_SPEECH
    if hypothesis.mean_log_probability < HOPELESS_LOG_PROBABILITY:
        return Rejection.IMPROBABLE
    if surest < SURE_SPEECH and _is_babble(hypothesis, speech_s):
        return Rejection.BABBLE
    if _repeats(hypothesis.text) and _cannot_be_spoken(hypothesis, speech_s):
        return Rejection.REPETITIVE
    return None


def _is_babble(hypothesis: Hypothesis, speech_s: float) -> bool:
    """Return whether both language and text are guessed. A given language is not doubted."""
    if not hypothesis.ranking:
        return False
    language = log(max(hypothesis.ranking[0][1], NEGLIGIBLE))
    guessed = GUESSED_BRIEF if speech_s <= BRIEF_S else GUESSED
    return language + hypothesis.mean_log_probability < guessed


def _repeats(text: str) -> bool:
    units = _units(text)
    runs = any(
        longest_run(units, size) >= enough for size, enough in REPETITIONS.items() if size * enough <= len(units)
    )
    return runs or compression_ratio(text) > COMPRESSION_RATIO


def _cannot_be_spoken(hypothesis: Hypothesis, speech_s: float) -> bool:
    """Return whether a repetition shows that it was invented: by its pace, its times or its probabilities."""
    flat = sum(word.end - word.start < FLAT_WORD_S for word in hypothesis.words)
    return (
        len(_units(hypothesis.text)) > speech_s * _fastest(hypothesis.text)
        or flat > MOST_FLAT_WORDS * len(hypothesis.words)
        or hypothesis.mean_log_probability < UNSURE_LOOP_LOG_PROBABILITY
        or hypothesis.no_speech > NO_SPEECH
    )


def _fastest(text: str) -> float:
    """Return the most units per second of speech."""
    if re.search(_SIGN, text):
        return FASTEST_SIGNS
    words = _words(text)
    is_short = sum(map(len, words)) <= SHORT_WORD * len(words)
    return FASTEST_SHORT_WORDS if is_short else FASTEST_WORDS


def _units(text: str) -> list[str]:
    """Return the words; in scripts without spaces, the signs."""
    return [unit for word in _words(text) for unit in re.findall(rf"{_SIGN}|(?:(?!{_SIGN}).)+", word)]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+(?:'\w+)*", text.lower())
