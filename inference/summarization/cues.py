"""Which sentences decide, promise or ask something, by how such sentences begin in English and Portuguese.

In other languages only question marks tell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from inference.summarization.lines import Sentence
from inference.summarization.summary import Kind

LEAST_WORDS = 4
"""Shorter sentences ("We agreed.", "Why not?") tell a reader nothing by themselves."""
LEAST_CONTENT = 2


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


_NAME = r"(?-i:(?!(?:We|They|It|That|This|There|These|Those|People|What|Who|Which)\b)[A-Z][a-z]+)"
_TASKS_EN = (
    r"(?:send|write (?:up|the|a|an)|check|prepare|e-?mail|call|draft|fix|test|follow|finish|update|"
    r"share|organi[sz]e|schedule|book|"
    r"arrange|contact|review|collect|bring|deliver|submit|report|document|investigate|find out|look into|look at|"
    r"work on|set up|put together|get back|talk to|ask|buy|order|hire|invite|create|design|build|present|remind|"
    r"circulate|forward|upload|publish|print|record|plan|compile|make sure|make a)\b"
)
_TASKS_PT = (
    r"(?:enviar|mandar|escrever|verificar|preparar|ligar|telefonar|redigir|corrigir|testar|terminar|acabar|atualizar|"
    r"partilhar|compartilhar|organizar|agendar|marcar|reservar|contactar|contatar|revisar|rever|recolher|trazer|"
    r"entregar|apresentar|documentar|investigar|descobrir|pesquisar|falar com|perguntar|comprar|encomendar|contratar|"
    r"convidar|criar|montar|construir|lembrar|publicar|imprimir|planejar|planear|conversar com|fazer (?:um|uma|o|a))\b"
)
_DATE_EN = r"\bby (?:monday|tuesday|wednesday|thursday|friday|tomorrow|tonight|next week|the end of|the next meeting)\b"
_DATE_PT = r"\baté (?:segunda|terça|quarta|quinta|sexta|amanhã|o fim|ao fim|o final|a próxima|à próxima)\b"

_CUES: Mapping[str, Mapping[Kind, re.Pattern[str]]] = {
    "en": {
        Kind.DECISION: _any(
            r"\bwe(?:'ve| have)?(?: all| now| just)? (?:decided|agreed|settled|approved|concluded|voted|chose)\b",
            r"\b(?:it is|it's|that is|that's|this is) (?:decided|settled|agreed|approved)\b",
            r"\b(?:the|our|my) (?:final )?decision (?:is|was)\b",
            r"\b(?:was|were|is|has been|have been) (?:approved|rejected|carried|adopted|postponed|"
            r"cancelled|canceled)\b",
            r"\b(?:let's|let us|we'll|we will|we should just) (?:go (?:with|for)|stick (?:with|to)|settle (?:on|for)|"
            r"keep|drop|skip|postpone|choose|adopt|use)\b",
            r"\bwe(?:'re| are) (?:going|gonna) (?:with|to (?:go with|go for|use|drop|keep|skip|adopt|choose))\b",
            r"\bwe(?:'re| are) (?:not )?gonna (?:go with|go for|use|drop|keep|skip)\b",
        ),
        Kind.ACTION: _any(
            rf"\bI(?:'ll| will|'m going to| am going to|'m gonna| am gonna) (?:also |just |then )?{_TASKS_EN}",
            rf"\b(?:can|could|would|will) you (?:please |also |maybe )?{_TASKS_EN}",
            rf"\b(?:you|he|she|{_NAME}) (?:need|needs|have|has) to {_TASKS_EN}",
            rf"\b{_NAME}(?:'ll| will| is going to| is gonna) {_TASKS_EN}",
            r"\baction (?:item|point)s?\b",
            r"\b(?:is|are|will be) (?:responsible for|in charge of|going to be working on|gonna be working on)\b",
            r"\byour (?:task|job|action) (?:is|will be)\b",
            _DATE_EN,
        ),
    },
    "pt": {
        Kind.DECISION: _any(
            r"\b(?:nós )?(?:decidimos|combinamos|concordamos|concluímos|aprovamos|escolhemos|acordamos)\b",
            r"\b(?:fica|ficou|está|foi|foram) (?:decidid|combinad|acertad|acordad|aprovad|adiad|cancelad|"
            r"rejeitad)[oa]s?\b",
            r"\ba (?:nossa )?decisão (?:final )?(?:é|foi)\b",
            r"\bvamos (?:ficar com|usar|manter|adotar|optar|escolher|adiar|cancelar|seguir com)\b",
        ),
        Kind.ACTION: _any(
            rf"\b(?:eu )?(?:vou|irei) (?:também |já |só )?(?:te |lhe |vos )?{_TASKS_PT}",
            rf"\b(?:você|tu|vocês|ele|ela|(?-i:[A-Z]\w+)) (?:pode|podes|poderia|podem|vai|vão|precisa|precisam|"
            rf"tem que|tem de|"
            rf"deve) (?:de )?{_TASKS_PT}",
            r"\b(?:fica|ficam|ficou|é|está) (?:responsável|encarregad[oa]) (?:por|pel[oa]|de)\b",
            _DATE_PT,
        ),
    },
}
_UNSETTLED = _any(
    r"\?\W*$",
    r"\b(?:if|maybe|perhaps|should we|shall we|might|could|would|haven't|have not|not yet|didn't|did not|"
    r"don't|whether)\b",
    r"\b(?:se|talvez|será que|poderíamos|poderia|ainda não|não)\b(?=.*\b(?:decid|combin|acord|aprov))",
)
"""A decision that is still a thought."""
_IDLE = _any(
    r"\b(?:I'll|I will|let me|I'm gonna|I'm going to) (?:just )?(?:talk|present|show|start|begin|go|ask) (?:you )?"
    r"(?:now|first|briefly|quickly)\b",
    r"\b(?:last week|yesterday|ontem|semana passada|don't know|not sure|no idea|não sei)\b",
)
_OPEN = {
    "en": _any(
        r"^(?:what|when|where|who|how|which|should|shall|could|can|do|does|will|would|is|are)\b.*\?\W*$",
        r"\b(?:the|an|one) (?:open )?question is\b",
        r"\bwe (?:still )?(?:don't|do not) know (?:if|whether|who|what|when|how|which)\b",
        r"\b(?:need|have) to (?:find out|figure out|decide) (?:if|whether|who|what|when|how|which)\b",
    ),
    "pt": _any(
        r"^(?:o que|que|quando|onde|quem|como|qual|quais|quanto|devemos|podemos|vamos|será)\b.*\?\W*$",
        r"\bnão sabemos (?:ainda )?(?:se|quem|o que|quando|como|qual)\b",
        r"\bfalta (?:saber|definir|decidir|descobrir)\b",
    ),
}
_REQUEST = _any(
    rf"\b(?:can|could|would|will) you (?:please |also |maybe )?{_TASKS_EN}",
    rf"\b(?:você|vocês|tu) (?:pode|poderia|podem|podes) {_TASKS_PT}",
)
_ANY_QUESTION = re.compile(r"[?？؟;]\W*$")
_TO_THE_ROOM = _any(
    r"\b(?:you know what|can you hear|do you (?:see|hear|want to|have any)|any (?:other )?questions|"
    r"is that (?:ok|okay|right)"
    r"|are you ready|what (?:did|do) you (?:say|mean)|how are you|vocês me ouvem|tudo bem|alguma (?:pergunta|dúvida))\b"
)
"""Questions about the talking itself."""


def kind_of(sentence: Sentence) -> Kind | None:
    """Whether `sentence` is a decision, an action or a question; None: it only belongs to its topic."""
    if sentence.length < LEAST_WORDS or len(sentence.content) < LEAST_CONTENT:
        return None
    if _asks(sentence):
        return Kind.QUESTION
    cues = _CUES.get(sentence.language, {})
    if _matches(cues.get(Kind.DECISION), sentence.text) and not _UNSETTLED.search(sentence.text):
        return Kind.DECISION
    if _matches(cues.get(Kind.ACTION), sentence.text) and not _IDLE.search(sentence.text):
        return Kind.ACTION
    return None


def _matches(pattern: re.Pattern[str] | None, text: str) -> bool:
    return pattern is not None and pattern.search(text) is not None


def _asks(sentence: Sentence) -> bool:
    """Whether it asks what somebody should answer; a request ("could you send it?") is an action."""
    if _TO_THE_ROOM.search(sentence.text) or _REQUEST.search(sentence.text):
        return False
    return _OPEN.get(sentence.language, _ANY_QUESTION).search(sentence.text) is not None


def owner_of(sentence: Sentence, speakers: Mapping[str, str]) -> str | None:
    """Who is to do what `sentence` says: the speaker who says "I", else a speaker whose name (id → name) is said."""
    if _FIRST_PERSON.search(sentence.text):
        return sentence.speaker
    said = {word.lower() for word in re.findall(r"\w+", sentence.text)}
    named = [who for who, name in speakers.items() if name and all(part in said for part in name.lower().split())]
    return named[0] if len(named) == 1 else None


_FIRST_PERSON = _any(
    r"\bI(?:'ll| will|'m going to| am going to|'m gonna| am gonna| need to| have to)\b",
    r"\b(?:eu )?(?:vou|irei|fico|preciso)\b",
)
