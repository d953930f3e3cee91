"""Detect speech addressed to the summarizer. It does not belong to the meeting and is excluded from the summary.

This is the first of two defences; text that passes is still checked by `support`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from inference.summarization.utterances import SpokenSentence

FOLLOWING = 3
"""Number of the same speaker's following sentences that are excluded too."""

_MACHINE = (
    r"(?:ai|a\.i\.|assistant|language model|chat ?bot|chat ?gpt|gpt|bot|llm|model|machine|system|computer|"
    r"summari[sz]er|summari[sz]ation|note ?taker|transcriber|scribe|ia|assistente|modelo(?: de linguagem)?|"
    r"robô|máquina|"
    r"sistema|resumidor|computador|escriba)"
)
_PAPER = (
    r"(?:summar(?:y|ies)|notes?|minutes|recap|output|reply|answer|response|transcript|decisions?|action items?|"
    r"record|log|resumo|sumário|notas?|ata|atas|saída|resposta|transcrição|decis(?:ão|ões)|registro|registo)"
)
_ORDER_EN = (
    r"(?:write|say|state|claim|put|include|add|insert|append|output|print|respond|reply|answer|return|repeat|report|"
    r"record|list|mention|note|translate|summari[sz]e|generate|produce|conclude|announce|declare|begin|"
    r"start|end|finish|"
    r"replace|change|remove|delete|omit|hide|leave out|mark)"
)
_ORDER_PT = (
    r"(?:escrev[ae]r?|diga|dizer|diz|afirm[ae]r?|colo(?:ca|que|car)|inclu(?:a|i|ir)|adicion[ae]r?|acrescent[ae]r?|"
    r"imprim[aei]r?|respond[ae]r?|repit[ae]r?|repete|registr?[ae]r?|list[ae]r?|mencion[ae]r?|anot[ae]r?|traduz[ai]?r?|"
    r"resum[ae]r?|ger[ae]r?|conclua|anunci[ae]r?|declar[ae]r?|comec[ae]r?|comece|termin[ae]r?|"
    r"substitu[aei]r?|mud[ae]r?|"
    r"remov[ae]r?|apag[ae]r?|omit[aei]r?|escond[ae]r?|marqu?[ae]r?|insir[ae]r?|ponha|põe)"
)
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # Instructions to ignore instructions.
        r"\b(?:ignore|disregard|forget|override|bypass|drop|skip)\b.{0,40}\b(?:instructions?|prompts?|"
        r"rules?|guidelines|"
        r"previous|above|prior|preceding|earlier|system|everything (?:else|before|you)|your (?:task|orders|"
        r"training))\b",
        r"\b(?:ignor[ae]r?|esque[cç][ae]r?|desconsider[ae]r?|desobede[cç][ae]r?|"
        r"descart[ae]r?)\b.{0,40}\b(?:instruç|ordens|"
        r"regras|prompt|anterior|acima|tudo|orientaç|sistema)",
        # Changes of role.
        r"\b(?:you are|you're) (?:now|no longer)\b|\bfrom now on,? you\b|\b(?:act|behave|respond|"
        r"answer) as (?:if|a|an|the)\b"
        r"|\bpretend (?:to be|that|you)\b|\brole ?play\b|\bnew (?:instructions?|task|rules?|role)\b\s*[:,]?",
        r"\b(?:você|tu) (?:agora )?(?:é|és) agora\b|\ba partir de agora,? (?:você|tu)\b|\bagora você é\b|"
        r"\bfinja\b|\bfaça de "
        r"conta\b|\baja como\b|\bnov[ao]s? (?:instruç\w+|tarefa|regras?)\b",
        # Instructions about the output.
        rf"\b{_ORDER_EN}\b.{{0,80}}\b(?:in|into|to|from|of|at|on|as|with) (?:the|your|this|these|our|its|"
        rf"every|all|an?) "
        rf"(?:\w+ ){{0,2}}{_PAPER}\b",
        rf"\b{_ORDER_EN}\b (?:only|just|exactly|nothing but|verbatim|literally|the (?:following|words?|"
        rf"phrase|sentence|text|"
        r"line))\b",
        rf"\b(?:the|your|this) {_PAPER} (?:should|must|has to|have to|needs? to|will|shall|ought to)\b",
        rf"\b{_ORDER_PT}\b.{{0,80}}\b(?:n[oa]s?|aos?|às?|d[oa]s?|em|como|com) (?:\w+ ){{0,2}}{_PAPER}\b",
        rf"\b{_ORDER_PT}\b (?:apenas|somente|só|exatamente|literalmente|unicamente|a (?:seguinte )?frase|o seguinte|a "
        r"palavra|as palavras|o texto)\b",
        rf"\b(?:o|a|as|os|seu|sua) {_PAPER} (?:deve|devem|tem que|tem de|precisa|precisam|terá)\b",
        rf"\b(?:in|into|to|on) (?:the|your|this) {_PAPER}\b,? (?:please )?{_ORDER_EN}\b",
        rf"\b(?:n[oa]s?|aos?|às?|em) (?:\w+ )?{_PAPER}\b,? {_ORDER_PT}\b",
        # Addressing the machine.
        rf"(?:^|[.,;:!?]\s*)(?:hey|hi|hello|dear|okay|ok|attention|note to|message (?:to|for)|ei|oi|olá|caro|atenção|"
        rf"mensagem para)?,?\s*(?:the |our |o |a |ao |à |nosso )?{_MACHINE}\s*[,:!]",
        rf"\b(?:message|note|instructions?|order|command|request|mensagem|nota|instruç\w+|ordem|"
        rf"pedido) (?:to|for|para|ao|à|a) "
        rf"(?:the |an? |any |o |a )?{_MACHINE}\b",
        rf"\b(?:if you are|if you're|as|since you are|se você é|como) an? (?:\w+ )?{_MACHINE}\b|"
        rf"\bcomo uma? {_MACHINE}\b",
        r"\b(?:system|developer|user|assistant|sistema|usuário|assistente)\s*(?:prompt|message|override|"
        r"note|mensagem)?\s*:",
        r"\b(?:system prompt|prompt injection|end of (?:transcript|lines|meeting notes)|begin (?:new )?instructions?|"
        r"im_start|im_end|endoftext|fim da transcrição|prompt do sistema|instruções do sistema)\b",
        r"\b(?:developer|debug|admin|god|jailbreak|dan) mode\b|\bmodo (?:desenvolvedor|administrador|de depuração)\b",
        r"\b(?:tell|remind|inform|convince) (?:the |all )?(?:readers?|viewers?|people who read)\b|"
        r"\b(?:diga|informe|avise) "
        r"(?:aos?|os) (?:leitores|espectadores)\b",
    )
)


def is_steering(text: str) -> bool:
    """Return whether `text` gives instructions about the output or addresses a machine."""
    return any(pattern.search(text) for pattern in _PATTERNS)


def without_steering(sentences: Sequence[SpokenSentence]) -> list[SpokenSentence]:
    """Return the sentences without such instructions and without the speaker's next sentences after them."""
    return list(_kept(sentences))


def _kept(sentences: Sequence[SpokenSentence]) -> Iterator[SpokenSentence]:
    speaker: str | None = None
    left_out = 0
    for sentence in sentences:
        if is_steering(sentence.text):
            speaker, left_out = sentence.speaker, FOLLOWING
        elif left_out and sentence.speaker == speaker:
            left_out -= 1
        else:
            left_out = 0
            yield sentence
