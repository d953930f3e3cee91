from __future__ import annotations

import pytest

from inference.summarization.decision_patterns import kind_of
from inference.summarization.summary import ItemKind
from tests.inference.summarization.talk import sentence


@pytest.mark.parametrize(
    ("text", "language", "kind"),
    [
        ("We decided to use rubber buttons.", "en", ItemKind.DECISION),
        ("We've agreed that the launch is in May.", "en", ItemKind.DECISION),
        ("Let's go with the yellow case.", "en", ItemKind.DECISION),
        ("We're going to drop the speech recognition.", "en", ItemKind.DECISION),
        ("The motion was carried without discussion.", "en", ItemKind.DECISION),
        ("We won't include a pen with the remote.", "en", ItemKind.DECISION),
        ("Then we forget the ball shape.", "en", ItemKind.DECISION),
        ("I guess we decided on the material, right?", "en", ItemKind.DECISION),
        ("We decided to keep the wheel, if it is cheap.", "en", ItemKind.DECISION),
        ("A gente vai ficar com a caixa amarela.", "pt", ItemKind.DECISION),
        ("Não vamos usar a tela de cristal líquido.", "pt", ItemKind.DECISION),
        ("Decidimos adiar o lançamento do produto.", "pt", ItemKind.DECISION),
        ("Ficou combinado que o lançamento é em maio.", "pt", ItemKind.DECISION),
        ("Vamos ficar com a caixa amarela.", "pt", ItemKind.DECISION),
        ("I'll send the market report tomorrow.", "en", ItemKind.ACTION),
        ("Ben will write the minutes of this meeting.", "en", ItemKind.ACTION),
        ("Could you check the battery price?", "en", ItemKind.ACTION),
        ("The prototype needs to be ready by Friday.", "en", ItemKind.ACTION),
        ("As the designer, you're gonna be working on the working design.", "en", ItemKind.ACTION),
        ("I would like you guys to build a model in clay.", "en", ItemKind.ACTION),
        ("Kate will be looking at the look and the design.", "en", ItemKind.ACTION),
        ("The Designer and the Engineer are going to work together on a prototype.", "en", ItemKind.ACTION),
        ("Gostaria que vocês preparassem um modelo em argila.", "pt", ItemKind.ACTION),
        ("Eu vou enviar o relatório amanhã.", "pt", ItemKind.ACTION),
        ("O Rui fica responsável pelo relatório de mercado.", "pt", ItemKind.ACTION),
        ("Você pode verificar o preço da bateria?", "pt", ItemKind.ACTION),
        ("Who is going to test the battery?", "en", ItemKind.QUESTION),
        ("We still don't know whether the supplier delivers.", "en", ItemKind.QUESTION),
        ("Quem vai testar a bateria?", "pt", ItemKind.QUESTION),
        ("Não sabemos se o fornecedor entrega.", "pt", ItemKind.QUESTION),
        ("Wer testet die neue Batterie?", "de", ItemKind.QUESTION),
    ],
)
def test_cues(text: str, language: str, kind: ItemKind) -> None:
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
        "We decided on what did you want to know.",
        "We can keep that in mind for the design.",
        "We are going for a small lunch.",
        "Shall we move on to the next presentation?",
        "Where did you go to school in Michigan?",
        "I'm gonna present some findings of a study.",
        "We have to decide on that in a minute.",
    ],
)
def test_thoughts_and_talk_about_talking_are_nothing(text: str) -> None:
    assert kind_of(sentence(text)) is None
