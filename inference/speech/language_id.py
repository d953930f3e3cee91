"""Which language an utterance is in, from what a model says of all languages."""

from __future__ import annotations

from collections.abc import Sequence

from inference.audio import SAMPLE_RATE
from inference.speech.asr import UNSURE_LANGUAGE, DecodeRequest

SHORTEST_DETECTION_S = 2.0
"""Seconds of audio from which on it is worth asking whether a given language is the right one."""


def is_detection_told(request: DecodeRequest) -> bool:
    """Whether the answer to `request` says what its audio sounds like, beside the language that is given."""
    is_long = len(request.audio) >= SHORTEST_DETECTION_S * SAMPLE_RATE
    return request.kind != "live" and request.language is not None and is_long


def choose_language(request: DecodeRequest, ranking: Sequence[tuple[str, float]]) -> tuple[str, float]:
    """The likeliest allowed language out of (code, probability) pairs, best first; the fallback where unsure."""
    allowed = [pair for pair in ranking if not request.allowed or pair[0] in request.allowed] or list(ranking)
    total = sum(probability for _, probability in allowed)
    language, probability = allowed[0][0], allowed[0][1] / total
    if probability < UNSURE_LANGUAGE and request.fallback:
        return request.fallback, probability
    return language, probability
