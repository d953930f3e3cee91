from __future__ import annotations

import pytest

from inference.summarization.agreement import REACH, accepted_by, is_agreed, is_answered
from inference.summarization.decision_patterns import kind_of
from inference.summarization.summary import ItemKind
from inference.summarization.utterances import SpokenSentence
from tests.inference.summarization.talk import sentence

PROPOSAL = "We could have a public survey about the shapes."


def said(text: str, name: str = "Ben", language: str = "en") -> SpokenSentence:
    return sentence(text, name=name, language=language)


def nobody(text: str) -> SpokenSentence:
    return SpokenSentence(text, ("c0",), None, None, "en", 0)


@pytest.mark.parametrize(
    ("proposal", "reply", "language"),
    [
        (PROPOSAL, "There's a good idea.", "en"),
        ("I think a rechargeable battery would be a good idea.", "I'm with Ana on that.", "en"),
        ("Let's use the yellow rubber case.", "Agreed.", "en"),
        ("Podemos fazer uma pesquisa sobre as formas.", "Boa ideia.", "pt"),
        ("Acho que devemos usar a caixa amarela.", "Concordo com isso.", "pt"),
    ],
)
def test_a_proposal_that_another_speaker_agrees_with_is_a_decision(proposal: str, reply: str, language: str) -> None:
    proposed, agreed = said(proposal, "Ana", language), said(reply, "Ben", language)
    assert is_agreed(proposed, [agreed])
    assert kind_of(proposed, [agreed]) is ItemKind.DECISION


@pytest.mark.parametrize(
    "following",
    [
        [],
        [said("Yeah.")],
        [said("Good idea.", "Ana")],
        [said("I don't think that is a good idea.")],
        [said("That is too expensive, but fine."), said("Good idea.", "Carla")],
        [said("The price is high.")] * REACH + [said("Good idea.")],
        [nobody("Good idea.")],
    ],
)
def test_without_a_plain_agreement_of_another_it_stays_a_proposal(following: list[SpokenSentence]) -> None:
    proposed = said(PROPOSAL, "Ana")
    assert not is_agreed(proposed, following)
    assert kind_of(proposed, following) is None


def test_who_speaks_has_to_be_known() -> None:
    assert not is_agreed(nobody(PROPOSAL), [said("Good idea.")])
    assert accepted_by(nobody("Could you check the price?"), [said("Sure.")]) is None


def test_a_statement_is_no_proposal_whatever_is_answered() -> None:
    assert not is_agreed(said("We can't help everybody with this.", "Ana"), [said("Agreed.")])


@pytest.mark.parametrize(
    ("reply", "language", "owner"),
    [
        ("Sure, no problem.", "en", "S-Ben"),
        ("I will.", "en", "S-Ben"),
        ("Pode deixar comigo.", "pt", "S-Ben"),
        ("The price is high.", "en", None),
    ],
)
def test_a_request_belongs_to_the_next_speaker_who_takes_it_on(reply: str, language: str, owner: str | None) -> None:
    asked = said("Could you check the battery price?", "Ana", language)
    assert accepted_by(asked, [said(reply, "Ben", language), said("Yes.", "Carla", language)]) == owner


def test_a_question_that_is_answered_by_yes_or_no_is_not_open() -> None:
    asked = said("Are we going to use the crystal display?", "Ana")
    assert kind_of(asked) is ItemKind.QUESTION
    assert is_answered(asked, [said("No, that is too expensive.")])
    assert kind_of(asked, [said("No, that is too expensive.")]) is None
    assert kind_of(asked, [said("The display is expensive.")]) is ItemKind.QUESTION
