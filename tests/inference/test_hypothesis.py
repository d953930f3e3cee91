from __future__ import annotations

from inference.hypothesis import HypothesisBuffer, LivePolicy
from tests.inference.doubles import hypothesis, word

POLICY = LivePolicy(hold_back=0.4, sure=0.3)


def test_words_near_the_end_are_shown_but_not_forced() -> None:
    buffer = HypothesisBuffer(POLICY)
    good, morning = word("Good", 0.1, end=0.5), word("morning", 0.5, end=0.9)
    assert buffer.update(hypothesis([good, morning]), audio_s=1.0) == "Good morning"
    assert buffer.prefix == good.tokens
