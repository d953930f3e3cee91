"""Short meetings to summarise."""

from __future__ import annotations

from inference.summarization.summary import SpokenUtterance, SummaryRequest
from inference.summarization.utterances import SpokenSentence

SECONDS_A_LINE = 4.0


def spoken(*texts: str, language: str = "en", name: str | None = "Ana", first: int = 0) -> tuple[SpokenUtterance, ...]:
    """Captions of one speaker, one after the other: segments c0, c1, … from `first` on."""
    speaker = f"S-{name}" if name else None
    return tuple(
        SpokenUtterance(f"c{at}", at * SECONDS_A_LINE, at * SECONDS_A_LINE + 3.0, text, language, speaker, name)
        for at, text in enumerate(texts, start=first)
    )


def talk(*turns: tuple[str, str], language: str = "en") -> SummaryRequest:
    """A meeting of (speaker's name, what they say)."""
    lines = [spoken(text, language=language, name=name, first=at)[0] for at, (name, text) in enumerate(turns)]
    return SummaryRequest(tuple(lines), language)


def sentence(text: str, *, name: str | None = "Ana", language: str = "en", place: int = 0) -> SpokenSentence:
    """A sentence of caption c<place>."""
    return SpokenSentence(text, (f"c{place}",), f"S-{name}" if name else None, name, language, place)


BUDGET = talk(
    ("Ana", "The remote control will sell for twenty five Euro on the international market."),
    ("Ben", "The remote control must not cost more than twelve Euro to make."),
    ("Ana", "We decided to use rubber buttons for the remote control."),
    ("Ben", "I will send the market report by Friday."),
    ("Ana", "Who is going to test the speech recognition?"),
    ("Ben", "The rubber buttons make the remote control cheap."),
)
ORCAMENTO = talk(
    ("Ana", "O controle remoto vai custar vinte e cinco euros no mercado internacional."),
    ("Rui", "O controle remoto não pode custar mais de doze euros para fabricar."),
    ("Ana", "Nós decidimos usar botões de borracha no controle remoto."),
    ("Rui", "Eu vou enviar o relatório de mercado até sexta-feira."),
    ("Ana", "Quem vai testar o reconhecimento de fala?"),
    ("Rui", "Os botões de borracha deixam o controle remoto mais barato."),
    language="pt",
)
