"""Choose an utterance's language from a model's probabilities for all languages."""

from __future__ import annotations

from collections.abc import Sequence

from inference.audio import SAMPLE_RATE
from inference.speech.asr import UNSURE_LANGUAGE, DecodeRequest

SHORTEST_DETECTION_S = 2.0
"""Minimum seconds of audio to check whether a given language is correct."""


def is_detection_told(request: DecodeRequest) -> bool:
    """Return whether the result of `request` should include the detected language although one was given."""
    is_long = len(request.audio) >= SHORTEST_DETECTION_S * SAMPLE_RATE
    return request.kind != "live" and request.language is not None and is_long


def choose_language(request: DecodeRequest, ranking: Sequence[tuple[str, float]]) -> tuple[str, float]:
    """Return the likeliest allowed language from (code, probability) pairs, best first; the fallback if uncertain."""
    allowed = [pair for pair in ranking if not request.allowed or pair[0] in request.allowed] or list(ranking)
    total = sum(probability for _, probability in allowed)
    language, probability = allowed[0][0], allowed[0][1] / total
    if probability < UNSURE_LANGUAGE and request.fallback:
        return request.fallback, probability
    return language, probability
