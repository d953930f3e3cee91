"""Reject hallucinated text before it is shown.

The thresholds for no-speech, log-probability and compression are those of Whisper's decoding loop (Radford et al. 2022,
section 4.5). The share of speech and the repetition checks are our own. A rejected hypothesis is dropped completely and
never enters a later prompt.
"""

from __future__ import annotations

import re
from dataclasses import replace
from enum import StrEnum
from itertools import takewhile

from inference.repetition import COMPRESSION_RATIO, compression_ratio, is_cyclic
from inference.speech.asr import Hypothesis

NO_SPEECH = 0.6
UNSURE_LOG_PROBABILITY = -1.0
HOPELESS_LOG_PROBABILITY = -1.6
"""Text below this log-probability is always rejected."""
LEAST_SPEECH_S = 0.1
"""Minimum seconds of detected speech in an utterance."""

STRETCHED = re.compile(r"([^\W\d])\1{3}")
"""A letter repeated four times is a cry ("Ahhhhh!"), not a word."""
UTTERANCE_TAIL_S = 0.06
"""Words that begin closer than this to the end of the audio were not heard."""


class Rejection(StrEnum):
    """Why a hypothesis is not shown."""

    NO_SPEECH = "no speech"
    IMPROBABLE = "improbable"
    REPETITIVE = "repetitive"
    EMPTY = "empty"


DOUBTFUL = frozenset({Rejection.IMPROBABLE, Rejection.REPETITIVE})
"""There was speech, but the text is implausible, so another decode is worthwhile."""


def without_tail(hypothesis: Hypothesis, *, audio_s: float) -> Hypothesis:
    """Drop the words beyond the audio: a decoder that does not stop piles them up at the end."""
    audible = takewhile(lambda word: word.start < audio_s - UTTERANCE_TAIL_S, hypothesis.words)
    return replace(hypothesis, words=tuple(audible))


def rejection(hypothesis: Hypothesis, *, speech_s: float) -> Rejection | None:
    """Return why to drop `hypothesis`, given `speech_s` seconds of detected speech in its audio; None to keep it."""
    if all(STRETCHED.search(word) for word in _words(hypothesis.text)):
        return Rejection.EMPTY
    if speech_s < LEAST_SPEECH_S:
        return Rejection.NO_SPEECH
    if hypothesis.no_speech > NO_SPEECH and hypothesis.mean_log_probability < UNSURE_LOG_PROBABILITY:
        return Rejection.NO_SPEECH
    if hypothesis.mean_log_probability < HOPELESS_LOG_PROBABILITY:
        return Rejection.IMPROBABLE
    if compression_ratio(hypothesis.text) > COMPRESSION_RATIO or is_cyclic(_words(hypothesis.text)):
        return Rejection.REPETITIVE
    return None


def _words(text: str) -> list[str]:
    return re.findall(r"\w+(?:'\w+)*", text.lower())
