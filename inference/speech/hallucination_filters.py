"""Against invented text: what a hypothesis must show before anybody reads it.

The thresholds on no-speech, log-probability and compression are those of Whisper's own decoding loop (Radford et al.
2022, section 4.5); the share of speech and the repetitions are ours. A rejected hypothesis is dropped whole and never
reaches a later prompt.
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
"""A text this unlikely is rejected whatever else speaks for it."""
LEAST_SPEECH_S = 0.1
"""Seconds of detected speech below which nothing was said."""

STRETCHED = re.compile(r"([^\W\d])\1{3}")
"""A letter four times on end is a cry ("Ahhhhh!"), not a word."""
TAIL_S = 0.06
"""Words that begin nearer than this to the end of the audio have no sound of their own."""


class Rejection(StrEnum):
    """Why a hypothesis is not shown."""

    NO_SPEECH = "no speech"
    IMPROBABLE = "improbable"
    REPETITIVE = "repetitive"
    EMPTY = "empty"


DOUBTFUL = frozenset({Rejection.IMPROBABLE, Rejection.REPETITIVE})
"""There was speech, but this is not what was said: worth another decode."""


def without_tail(hypothesis: Hypothesis, *, audio_s: float) -> Hypothesis:
    """The hypothesis up to where its words run out of audio: a decoder that does not stop piles them up at the end."""
    audible = takewhile(lambda word: word.start < audio_s - TAIL_S, hypothesis.words)
    return replace(hypothesis, words=tuple(audible))


def rejection(hypothesis: Hypothesis, *, speech_s: float) -> Rejection | None:
    """Why `hypothesis`, decoded from audio with `speech_s` seconds of detected speech, is to be dropped; None: keep."""
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
