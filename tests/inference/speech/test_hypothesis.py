from __future__ import annotations

from inference.speech.hypothesis import HypothesisBuffer, LivePolicy
from tests.inference.doubles import hypothesis, word

POLICY = LivePolicy(hold_back=0.4, sure=0.3)
GOOD = word("Good", 0.1, end=0.5)
MORNING = word("morning", 0.5, end=0.9)
ALL = word("all", 0.9, end=1.1)


def test_words_near_the_end_are_shown_but_not_forced() -> None:
    buffer = HypothesisBuffer(POLICY)
    assert buffer.update(hypothesis([GOOD, MORNING]), audio_s=1.0) == "Good morning"
    assert buffer.prefix == GOOD.tokens


def test_more_words_are_agreed_on_as_the_audio_grows() -> None:
    buffer = HypothesisBuffer(POLICY)
    buffer.update(hypothesis([GOOD, MORNING]), audio_s=1.0)
    buffer.update(hypothesis([GOOD, MORNING, ALL]), audio_s=1.4)
    assert buffer.prefix == GOOD.tokens + MORNING.tokens
    assert buffer.text == "Good morning all"


def test_unsure_words_at_the_end_are_not_shown_yet() -> None:
    buffer = HypothesisBuffer(POLICY)
    heard = hypothesis([GOOD, MORNING, word("hall", 0.9, end=1.1, probability=0.2)])
    assert buffer.update(heard, audio_s=1.2) == "Good morning"


def test_an_unsure_word_that_is_agreed_on_is_shown() -> None:
    buffer = HypothesisBuffer(POLICY)
    assert buffer.update(hypothesis([word("Gut", 0.1, end=0.5, probability=0.2)]), audio_s=2.0) == "Gut"


def test_a_decode_without_words_leaves_nothing_to_show() -> None:
    buffer = HypothesisBuffer(POLICY)
    assert buffer.update(hypothesis([]), audio_s=1.0) == ""
    assert buffer.prefix == ()


def test_after_a_cut_the_words_behind_it_begin_the_next_utterance() -> None:
    buffer = HypothesisBuffer(POLICY)
    buffer.update(hypothesis([GOOD, MORNING, ALL]), audio_s=2.0)
    rest = buffer.after(0.5)
    assert rest.text == "morning all"
    assert rest.prefix == ()
    assert rest.after(0.3).text == "all"
