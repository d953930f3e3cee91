"""Against invented text: what a hypothesis must show before anybody reads it.

The thresholds on no-speech, log-probability and compression are those of Whisper's own decoding loop (Radford et al.
2022, section 4.5); the share of speech and the repetitions are ours. A rejected hypothesis is dropped whole and never
reaches a later prompt.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from itertools import takewhile

from inference.speech.asr import Hypothesis

NO_SPEECH = 0.6
UNSURE_LOG_PROBABILITY = -1.0
HOPELESS_LOG_PROBABILITY = -1.6
"""A text this unlikely is rejected whatever else speaks for it."""
COMPRESSION_RATIO = 2.4
LEAST_SPEECH_S = 0.1
"""Seconds of detected speech below which nothing was said."""
LONGEST_CYCLE = 6
"""Words in the longest phrase whose repetition is looked for."""
REPETITIONS = 4
"""A phrase said this often on end is a loop; "no, no, no" is not."""
SHORT_CYCLE_REPETITIONS = 7
"""The same for one or two words, which people do repeat."""


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


def compression_ratio(text: str) -> float:
    """How much shorter zlib makes the text: loops compress well."""
    encoded = text.encode()
    return len(encoded) / len(zlib.compress(encoded))


def is_cyclic(words: Sequence[str]) -> bool:
    """Whether one phrase stands there again and again without anything between."""
    return any(
        _longest_run(words, size) >= (SHORT_CYCLE_REPETITIONS if size <= 2 else REPETITIONS)
        for size in range(1, LONGEST_CYCLE + 1)
    )


def _longest_run(words: Sequence[str], size: int) -> int:
    """The most times that a phrase of `size` words follows itself, the first time included."""
    longest = run = 0
    for place in range(len(words) - size):
        run = run + 1 if words[place] == words[place + size] else 0
        longest = max(longest, run)
    return longest // size + 1


def _words(text: str) -> list[str]:
    return re.findall(r"\w+(?:'\w+)*", text.lower())
