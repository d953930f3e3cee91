from __future__ import annotations

import pytest

from inference.summarization.cues import kind_of
from inference.summarization.owners import owner_of
from inference.summarization.summary import Kind
from tests.inference.summarization.talk import sentence


@pytest.mark.parametrize(
    ("text", "language", "kind"),
    [
        ("We decided to use rubber buttons.", "en", Kind.DECISION),
        ("We've agreed that the launch is in May.", "en", Kind.DECISION),
        ("Let's go with the yellow case.", "en", Kind.DECISION),
        ("We're going to drop the speech recognition.", "en", Kind.DECISION),
        ("The motion was carried without discussion.", "en", Kind.DECISION),
        ("Decidimos adiar o lançamento do produto.", "pt", Kind.DECISION),
        ("Ficou combinado que o lançamento é em maio.", "pt", Kind.DECISION),
        ("Vamos ficar com a caixa amarela.", "pt", Kind.DECISION),
        ("I'll send the market report tomorrow.", "en", Kind.ACTION),
        ("Ben will write the minutes of this meeting.", "en", Kind.ACTION),
        ("Could you check the battery price?", "en", Kind.ACTION),
        ("The prototype needs to be ready by Friday.", "en", Kind.ACTION),
        ("Eu vou enviar o relatório amanhã.", "pt", Kind.ACTION),
        ("O Rui fica responsável pelo relatório de mercado.", "pt", Kind.ACTION),
        ("Você pode verificar o preço da bateria?", "pt", Kind.ACTION),
        ("Who is going to test the battery?", "en", Kind.QUESTION),
        ("We still don't know whether the supplier delivers.", "en", Kind.QUESTION),
        ("Quem vai testar a bateria?", "pt", Kind.QUESTION),
        ("Não sabemos se o fornecedor entrega.", "pt", Kind.QUESTION),
        ("Wer testet die neue Batterie?", "de", Kind.QUESTION),
    ],
)
def test_cues(text: str, language: str, kind: Kind) -> None:
    assert kind_of(sentence(text, language=language)) is kind


@pytest.mark.parametrize(
    "text",
    [
        "The price of the battery is high.",
        "Should we have decided to use rubber buttons already",
        "Maybe we decided to use rubber.",
        "If we agreed on rubber buttons that would be good.",
        "We haven't decided on the buttons.",
        "I don't know what I'm gonna write about the battery.",
        "We agreed.",
        "The more features we add the fancier chips we need to buy.",
        "They have to buy remote controls somewhere else.",
        "Do you have any questions about the battery?",
        "Can you hear the recording back there?",
    ],
)
def test_thoughts_and_talk_about_talking_are_nothing(text: str) -> None:
    assert kind_of(sentence(text)) is None


SPEAKERS = {"S-Ana": "Ana", "S-Ben": "Ben Smith"}


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        ("I'll send the report.", "S-Ana"),
        ("Eu vou enviar o relatório.", "S-Ana"),
        ("Ben Smith will send the report.", "S-Ben"),
        ("Ben will send the report.", None),
        ("Somebody has to send the report.", None),
        ("Ana and Ben Smith have to send the report.", None),
    ],
)
def test_owners(text: str, owner: str | None) -> None:
    assert owner_of(sentence(text, name="Ana"), SPEAKERS) == owner
