"""Detect replies to a sentence: agreement, acceptance of a task, or an answer.

A proposal with which another speaker explicitly agrees is a decision, as in the decision dialogue acts of Fernández et
al. 2008 (SIGdial, "Modelling and detecting decisions in multi-party dialogue"). A bare "yeah" is not agreement but a
sign of listening.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from inference.summarization.utterances import SpokenSentence

REACH = 3
"""Number of following sentences that count as replies."""

_PROPOSES = {
    "en": re.compile(
        r"\b(?:let's|we should|we can(?!'|not)|we could|we'll|we will|I (?:propose|suggest)|why don't we|"
        r"how about|what about|(?:would|will|might) be (?:an? )?(?:good|great|better|best)(?: idea)?|should be)\b",
        re.IGNORECASE,
    ),
    "pt": re.compile(
        r"\b(?:vamos|devemos|devíamos|deveríamos|podemos|podíamos|poderíamos|a gente (?:pode|podia|deve|devia)|"
        r"proponho|sugiro|que tal|seria (?:bom|boa|melhor|ótimo)|deveria ser|devia ser)\b",
        re.IGNORECASE,
    ),
}
_AGREES = {
    "en": re.compile(
        r"\b(?:I (?:fully |totally |completely )?agree|agreed|(?:good|great|nice|better|excellent) (?:idea|point|plan)|"
        r"sounds (?:good|great|fine)|I'm (?:with|for)|I like (?:that|the idea|this)|let's do (?:that|it)|"
        r"we (?:could|can|should) do that|happy (?:with|to do) (?:that|it)|fine (?:with|by) me|works for me|"
        r"it is good (?:also )?to)\b",
        re.IGNORECASE,
    ),
    "pt": re.compile(
        r"\b(?:concordo|de acordo|combinado|fechado|(?:boa|ótima|excelente) (?:ideia|idéia)|acho (?:ótimo|bom|uma boa)|"
        r"por mim (?:tudo bem|está bem|pode ser)|estou de acordo|vamos fazer isso|gosto (?:disso|da ideia))\b",
        re.IGNORECASE,
    ),
}
_DISAGREES = {
    "en": re.compile(r"\b(?:don't|not|but|disagree|isn't|wouldn't|if)\b", re.IGNORECASE),
    "pt": re.compile(r"\b(?:não|mas|discordo|se)\b", re.IGNORECASE),
}
_ACCEPTS = {
    "en": re.compile(
        r"^(?:yes|yeah|yep|sure|okay|ok|of course|no problem|will do|I will|I'll|I can|alright|all right|absolutely|"
        r"certainly)\b",
        re.IGNORECASE,
    ),
    "pt": re.compile(
        r"^(?:sim|claro|pode ser|pode deixar|deixa comigo|está bem|tá bom|tudo bem|ok|okay|com certeza|combinado|"
        r"eu (?:faço|vou|posso))\b",
        re.IGNORECASE,
    ),
}
_ANSWERS = {
    "en": re.compile(
        r"^(?:yes|yeah|yep|yup|no|nope|exactly|of course|I (?:think|guess|suppose) (?:so|not)|it (?:is|does)|"
        r"we (?:do|are))\b",
        re.IGNORECASE,
    ),
    "pt": re.compile(r"^(?:sim|não|claro|exatamente|isso|acho que (?:sim|não)|com certeza)\b", re.IGNORECASE),
}


def is_agreed(sentence: SpokenSentence, following: Sequence[SpokenSentence]) -> bool:
    """Return whether `sentence` is a proposal with which another speaker agrees before any objection."""
    if not _matches(_PROPOSES, sentence):
        return False
    for reply in _others(sentence, following):
        if _matches(_DISAGREES, reply):
            return False
        if _matches(_AGREES, reply):
            return True
    return False


def accepted_by(sentence: SpokenSentence, following: Sequence[SpokenSentence]) -> str | None:
    """Return the id of the next other speaker if they accept the request in `sentence`."""
    reply = next(_others(sentence, following), None)
    return reply.speaker if reply and _matches(_ACCEPTS, reply) else None


def is_answered(sentence: SpokenSentence, following: Sequence[SpokenSentence]) -> bool:
    """Return whether the next other speaker answers yes or no."""
    reply = next(_others(sentence, following), None)
    return reply is not None and _matches(_ANSWERS, reply)


def _others(sentence: SpokenSentence, following: Sequence[SpokenSentence]) -> Iterator[SpokenSentence]:
    """Return the nearby sentences of other speakers; empty if the sentence's own speaker is unknown."""
    near = following[:REACH] if sentence.speaker else ()
    return (reply for reply in near if reply.speaker not in (None, sentence.speaker))


def _matches(patterns: dict[str, re.Pattern[str]], sentence: SpokenSentence) -> bool:
    pattern = patterns.get(sentence.language)
    return pattern is not None and pattern.search(sentence.text) is not None
