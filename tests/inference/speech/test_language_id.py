from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from inference.audio import SAMPLE_RATE
from inference.speech.asr import DecodeRequest
from inference.speech.language_id import choose_language, heard_languages

Utterance = tuple[float, dict[str, float]]
"""Seconds, and what it sounds like."""

ENGLISH: Utterance = (4.0, {"en": 0.98, "nn": 0.01})
PORTUGUESE: Utterance = (3.0, {"pt": 0.98, "en": 0.005, "nn": 0.005})


def judged(*utterances: Utterance, allowed: tuple[str, ...] = ()) -> list[str]:
    heard: dict[str, float] = {}
    languages = []
    for seconds, sounds_like in utterances:
        audio = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
        request = DecodeRequest("final", 0, audio, None, allowed=allowed, heard=heard)
        ranking = sorted(_whole(sounds_like), key=lambda pair: -pair[1])
        languages.append(choose_language(request, ranking)[0])
        heard = heard_languages(request, ranking)
    return languages


def _whole(sounds_like: dict[str, float]) -> Iterable[tuple[str, float]]:
    others = [code for code in ("en", "pt", "hu", "la", "ar", "cy", "ko", "nn") if code not in sounds_like]
    rest = (1 - sum(sounds_like.values())) / len(others)
    return [*sounds_like.items(), *((code, rest) for code in others)]


@pytest.mark.parametrize(
    "short",
    [(1.5, {"hu": 0.69, "en": 0.23}), (0.9, {"cy": 0.9}), (1.0, {"ko": 0.97}), (2.9, {"la": 0.92, "en": 0.0045})],
)
def test_a_word_in_between_changes_nothing(short: Utterance) -> None:
    assert judged(ENGLISH, short, ENGLISH, short, ENGLISH) == ["en"] * 5


def test_the_first_word_of_a_meeting_is_heard_in_a_language_that_people_speak() -> None:
    assert judged((0.8, {"cy": 0.5, "en": 0.3}), ENGLISH) == ["en", "en"]
    assert judged((1.6, {"la": 0.6, "pt": 0.38}), PORTUGUESE) == ["pt", "pt"]


@pytest.mark.parametrize("allowed", [(), ("en", "pt")])
def test_another_language_is_followed(allowed: tuple[str, ...]) -> None:
    said = [*[ENGLISH] * 20, PORTUGUESE, PORTUGUESE, ENGLISH, ENGLISH]
    languages = judged(*said, allowed=allowed)
    assert languages[:20] == ["en"] * 20
    assert (languages[21], languages[23]) == ("pt", "en"), "within two utterances"
    long = [ENGLISH, (6.0, PORTUGUESE[1]), ENGLISH]
    assert judged(*long, allowed=allowed) == ["en", "pt", "en"], "at once"


def test_a_rare_language_is_heard_where_it_is_spoken() -> None:
    assert judged(*[(3.0, {"cy": 0.95, "en": 0.02})] * 3) == ["cy"] * 3


def test_only_allowed_languages_are_heard() -> None:
    assert judged((3.0, {"la": 0.9, "en": 0.01, "pt": 0.08}), allowed=("en", "pt")) == ["pt"]
