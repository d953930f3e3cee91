"""Judge an utterance's language from a model's probabilities, its length, and the languages heard before it.

A hidden Markov model with one state per language (Rabiner 1989, forward algorithm): a meeting stays in its language or
changes with a small probability, and a short utterance says little about it. So "Okay" changes nothing, and a language
that is really spoken wins within two utterances.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from inference.audio import SAMPLE_RATE
from inference.speech.asr import DecodeRequest

SHORTEST_DETECTION_S = 2.0
"""Minimum seconds of audio to check whether a given language is correct."""

ENOUGH_S = 2.5
"""Seconds of audio, with its pauses, with which the model's probabilities count once; less counts less."""
MOST_WEIGHT = 1.5
"""How often they count at most, however long the utterance is."""
CHANGE = 0.03
"""Probability that an utterance is in another language than the one before."""
CHANGE_AMONG_NAMED = 0.1
"""The same where somebody has named the languages that are spoken; each of them is expected alike."""
LEAST = 0.001
"""Models are never surer than this that a language is not spoken."""
NEGLIGIBLE = 0.0001
"""Languages that are less probable are not remembered."""

_BY_TRAINING = (
    "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la mi ml "
    "cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am "
    "yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su yue"
)
"""Whisper's languages by hours of training (openai/whisper, `tokenizer.py`): those further on are often heard by
mistake."""
EVENNESS = 0.7
"""Before anything is heard, a language of rank n has the weight n to the power of minus this (Zipf's law)."""
_RATES = {language: rank**-EVENNESS for rank, language in enumerate(_BY_TRAINING.split(), start=1)}


def is_detection_told(request: DecodeRequest) -> bool:
    """Return whether the result of `request` should include the detected language although one was given."""
    is_long = len(request.audio) >= SHORTEST_DETECTION_S * SAMPLE_RATE
    return request.kind in ("final", "careful") and request.language is not None and is_long


def choose_language(request: DecodeRequest, ranking: Sequence[tuple[str, float]]) -> tuple[str, float]:
    """Return the likeliest allowed language and its probability, given the model's (code, probability) pairs."""
    languages = heard_languages(request, ranking)
    return max(languages.items(), key=lambda pair: (pair[1], pair[0]))


def heard_languages(request: DecodeRequest, ranking: Sequence[tuple[str, float]]) -> dict[str, float]:
    """Return the probabilities of the languages after `request`, rounded, so that a checkpoint holds them exactly."""
    allowed = [pair for pair in ranking if not request.allowed or pair[0] in request.allowed] or list(ranking)
    expected = _expected(request.heard, [language for language, _ in allowed], are_named=bool(request.allowed))
    weight = min(MOST_WEIGHT, len(request.audio) / SAMPLE_RATE / ENOUGH_S)
    likely = {language: expected[language] * max(share, LEAST) ** weight for language, share in allowed}
    total = sum(likely.values())
    return {language: round(share / total, 6) for language, share in likely.items() if share / total >= NEGLIGIBLE}


def _expected(heard: Mapping[str, float], languages: Collection[str], *, are_named: bool) -> dict[str, float]:
    """Return the probabilities of `languages` before the utterance is heard."""
    rates = {language: 1.0 if are_named else _RATES.get(language, min(_RATES.values())) for language in languages}
    change = CHANGE_AMONG_NAMED if are_named else CHANGE
    total, known = sum(rates.values()), sum(heard.get(language, 0.0) for language in languages)
    stay = (1 - change) / known if known else 0.0
    spread = (change if known else 1.0) / total
    return {language: stay * heard.get(language, 0.0) + spread * rate for language, rate in rates.items()}
