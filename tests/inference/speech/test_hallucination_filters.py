from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.repetition import compression_ratio, is_cyclic
from inference.speech.asr import Hypothesis
from inference.speech.hallucination_filters import Rejection, rejection, without_tail
from tests.inference.doubles import hypothesis, word


def said(text: str, *, no_speech: float = 0.0, mean_log_probability: float = -0.2) -> Hypothesis:
    words = [word(part, place * 0.3) for place, part in enumerate(text.split())]
    return hypothesis(words, no_speech=no_speech, mean_log_probability=mean_log_probability)


def piled_up(text: str, times: int) -> Hypothesis:
    """As a decoder in a loop aligns it: some words, then all at one place."""
    return hypothesis([word(text, min(place * 0.3, 1.8), end=min(place * 0.3 + 0.25, 1.8)) for place in range(times)])


@pytest.mark.parametrize(
    ("heard", "speech_s", "expected"),
    [
        (said("good morning everybody"), 1.0, None),
        (said(""), 1.0, Rejection.EMPTY),
        (said("... !"), 1.0, Rejection.EMPTY),
        (said("AHHHHH!"), 1.0, Rejection.EMPTY),
        (said("Ahhhh yes"), 1.0, None),
        (said("10000"), 1.0, None),
        (said("thanks for watching"), 0.05, Rejection.NO_SPEECH),
        (said("you", no_speech=0.7, mean_log_probability=-1.1), 1.0, Rejection.NO_SPEECH),
        (said("yes", no_speech=0.7, mean_log_probability=-0.4), 1.0, None),
        (said("yes", no_speech=0.1, mean_log_probability=-1.1), 1.0, None),
        (said("mnh grb", mean_log_probability=-1.7), 1.0, Rejection.IMPROBABLE),
        (said("reply to " * 12), 4.0, Rejection.REPETITIVE),
        (said("no no no no"), 1.0, None),
        (said("no " * 7), 3.0, None),
        (said("go " * 8), 3.0, None),
        (said("Go! " * 10), 3.0, None),
        (said("Amen. " * 7), 3.0, None),
        (said("five " * 7), 3.0, None),
        (said("Holy, holy, holy Lord. " * 4), 3.0, None),
        (said("sete " * 9), 3.0, None),
        (said("the first time " * 4), 4.0, None),
        (said("谢谢" * 4), 3.0, None),
        (said("네 " * 8), 3.0, None),
        (said("no " * 40), 3.0, Rejection.REPETITIVE),
        (said("no " * 7, no_speech=0.7), 3.0, Rejection.REPETITIVE),
        (said("no " * 7, mean_log_probability=-0.8), 3.0, Rejection.REPETITIVE),
        (piled_up("no", 12), 4.0, Rejection.REPETITIVE),
        (said("ご視聴ありがとうございました" * 3), 3.0, Rejection.REPETITIVE),
        (said("ご視聴ありがとうございました " * 3), 3.0, Rejection.REPETITIVE),
        (said("ご視聴ありがとうございました"), 1.7, None),
        (said("谢谢" * 30), 3.0, Rejection.REPETITIVE),
        (said("ขอบคุณ" * 8), 2.0, Rejection.REPETITIVE),
    ],
)
def test_rejection(heard: Hypothesis, speech_s: float, expected: Rejection | None) -> None:
    assert rejection(heard, speech_s=speech_s) is expected


DOUBTED, KNOWN = (("ko", 0.3), ("zh", 0.1)), (("ko", 0.6), ("zh", 0.1))


@pytest.mark.parametrize(
    ("surest", "ranking", "mean_log_probability", "speech_s", "expected"),
    [
        (0.93, DOUBTED, -0.6, 4.0, Rejection.BABBLE),
        (0.96, DOUBTED, -0.6, 4.0, None),
        (0.93, KNOWN, -0.6, 4.0, None),
        (0.93, (), -1.2, 4.0, None),
        (0.93, DOUBTED, -0.2, 4.0, None),
        (0.7, DOUBTED, -0.8, 0.3, None),
        (0.7, DOUBTED, -1.0, 0.3, Rejection.BABBLE),
    ],
)
def test_babble_is_told_by_doubt_of_voice_language_and_text(
    surest: float,
    ranking: tuple[tuple[str, float], ...],
    mean_log_probability: float,
    speech_s: float,
    expected: Rejection | None,
) -> None:
    heard = replace(said("우정?", mean_log_probability=mean_log_probability), ranking=ranking)
    assert rejection(heard, speech_s=speech_s, surest=surest) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b c d", False),
        ("no no no no no no", False),
        ("no no no no no no no", True),
        ("the first time the first time the first time", False),
        ("the first time the first time the first time the first time", True),
        ("I know I know I know I know", False),
    ],
)
def test_cycles(text: str, expected: bool) -> None:
    assert is_cyclic(text.split()) is expected


@given(st.lists(st.sampled_from("abcde"), min_size=1, max_size=6), st.integers(7, 12))
def test_a_phrase_said_seven_times_is_always_a_cycle(phrase: list[str], times: int) -> None:
    assert is_cyclic(phrase * times)


@given(st.lists(st.integers(), unique=True).map(lambda numbers: [str(number) for number in numbers]))
def test_words_that_never_return_are_no_cycle(words: list[str]) -> None:
    assert not is_cyclic(words)


def test_loops_compress_and_speech_does_not() -> None:
    assert compression_ratio("and so on " * 20) > 5
    assert compression_ratio("The committee meets again on Thursday to settle the budget.") < 1.2


def test_words_piled_up_at_the_end_of_the_audio_are_no_words() -> None:
    heard = hypothesis([word("he", 0.2), word("said", 1.9), word("he", 1.98), word("said", 1.98)])
    assert without_tail(heard, audio_s=2.0).text == "he said"
    assert without_tail(heard, audio_s=3.0) == heard
