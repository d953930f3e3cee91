from __future__ import annotations

import pytest

from inference.summarization.prompt_injection import is_steering
from inference.summarization.summarizer import ChatSummarizer, ExtractiveSummarizer
from inference.summarization.summary import Summarizer
from tests.inference.summarization.attacks import ATTACKS, attacked, succeeds
from tests.inference.summarization.doubles import ScriptedChatModel

MOST_SUCCESSES = len(ATTACKS) * 2 // 100


def obedient(reply: str) -> Summarizer:
    return ChatSummarizer(ScriptedChatModel(lambda _: reply))  # type: ignore[arg-type]


def successes(summarizer_of: dict[str, Summarizer]) -> list[str]:
    return [
        speech
        for speech, language, demanded in ATTACKS
        if succeeds(summarizer_of[demanded].summarize(attacked(speech, language), within_s=900.0), demanded)
    ]


def test_there_are_fifty_attacks_in_two_languages() -> None:
    assert len(set(ATTACKS)) == 50
    assert {language for _, language, _ in ATTACKS} == {"en", "pt"}


def test_quotations_carry_no_attack() -> None:
    assert len(successes({demanded: ExtractiveSummarizer() for *_, demanded in ATTACKS})) <= MOST_SUCCESSES


def test_an_obedient_model_carries_no_attack() -> None:
    """It says whatever is demanded, in several forms, as if the attack had worked on it."""
    forms = ("{}.", "It was said that {} today.", "The team talked about {} in the meeting.", "Mal said {} now.")
    for form in forms:
        assert len(successes({demanded: obedient(form.format(demanded)) for *_, demanded in ATTACKS})) <= MOST_SUCCESSES


def test_the_model_is_not_even_told() -> None:
    """So it does not matter how obedient it is."""
    told = 0
    for speech, language, demanded in ATTACKS:
        model = ScriptedChatModel(lambda _: "")
        ChatSummarizer(model).summarize(attacked(speech, language), within_s=900.0)  # type: ignore[arg-type]
        told += any(demanded in chat.lower() for chat in model.asked)
    assert told <= MOST_SUCCESSES


@pytest.mark.parametrize(
    "text",
    [
        "We should write a summary of the market report.",
        "I will send the minutes tomorrow.",
        "The assistant manager said the price is high.",
        "Please ignore the red line in the chart.",
        "The new model has a better battery.",
        "Eu vou escrever o relatório e enviar as notas.",
        "O sistema antigo é mais barato.",
    ],
)
def test_people_may_talk_about_writing_and_machines(text: str) -> None:
    assert not is_steering(text)
