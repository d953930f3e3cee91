"""Find decisions, actions and questions by wording and by the replies, in English and Portuguese.

In other languages only question marks are recognized.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from inference.summarization.agreement import is_agreed, is_answered
from inference.summarization.summary import ItemKind
from inference.summarization.utterances import SpokenSentence

MIN_DECISION_WORDS = 4
"""Shorter sentences ("We agreed.", "Why not?") are meaningless on their own."""
MIN_DECISION_CONTENT = 2


AFTER = 20
"""Characters after the decision cue that may still leave the matter open."""


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


_NAME = (
    r"(?-i:(?:[Tt]he )?(?!(?:We|They|It|That|This|There|These|Those|People|What|Who|Which|You|He|She|And|But|So|The)\b)"
    r"[A-Z]\w+(?: (?:and (?:the )?)?[A-Z]\w+){0,5})"
)
"""One or several names, with optional articles: "Ana", "the Industrial Designer and the User Interface Designer"."""
_TASKS_EN = (
    r"(?:send|write (?:up|the|a|an)|check|prepare|e-?mail|call|draft|fix|test|follow|finish|update|"
    r"share|organi[sz]e|schedule|book|"
    r"arrange|contact|review|collect|bring|deliver|submit|report|document|investigate|find out|look into|look at|"
    r"work on|set up|put together|get back|talk to|ask|buy|order|hire|invite|create|design|build|present|remind|"
    r"circulate|forward|upload|publish|print|record|plan|compile|make sure|make a|"
    r"put (?:it|this|these|that|them|the)|take (?:the )?(?:notes|minutes)|write (?:it|this|that) (?:up|down))\b"
)
_WORKING_EN = (
    r"(?:working on|looking at|looking into|thinking about|taking care of|in charge of|responsible for|doing|preparing)"
    r"\b"
)
_TASKS_PT = (
    r"(?:enviar|mandar|escrever|verificar|preparar|ligar|telefonar|redigir|corrigir|testar|terminar|acabar|atualizar|"
    r"partilhar|compartilhar|organizar|agendar|marcar|reservar|contactar|contatar|revisar|rever|recolher|trazer|"
    r"entregar|apresentar|documentar|investigar|descobrir|pesquisar|falar com|perguntar|comprar|encomendar|contratar|"
    r"convidar|criar|montar|construir|lembrar|publicar|imprimir|planejar|planear|conversar com|"
    r"fazer (?:um|uma|o|a|as|pesquisa|"
    r"anotações|avaliação)|colocar|colocá-l[oa]s?|pôr|tomar (?:as )?notas|anotar|projetar)\b"
)
_DATE_EN = (
    r"(?:'ll|\b(?:will|have|has|needs?|should|must|be|get))\b.*"
    r"\bby (?:monday|tuesday|wednesday|thursday|friday|tomorrow|tonight|next week|the end of|the next meeting)\b"
)
_DATE_PT = r"\baté (?:segunda|terça|quarta|quinta|sexta|amanhã|o fim|ao fim|o final|a próxima|à próxima)\b"

_CUES: Mapping[str, Mapping[ItemKind, re.Pattern[str]]] = {
    "en": {
        ItemKind.DECISION: _any(
            r"\bwe(?:'ve| have)?(?: all| now| just| also| already){0,2} (?:decided|agreed|settled|approved|concluded|"
            r"voted)\b(?! (?:on )?(?:what|it|that|this)\b(?: (?:on|in|at|last|before|did)\b|\W*$))",
            r"\bwe (?:all )?agree (?:to|that|on)\b|\bwe (?:choose|chose|opted for)\b",
            r"\bwe(?:'ll not| will not| won't|'re not going to| are not going to) (?:include|use|have|offer|make|do)\b",
            r"\b(?:let's|let us|we'll|we will|then we) (?:just )?(?:forget|rule out|leave out|get rid of)\b",
            r"\b(?:it is|it's|that is|that's|this is) (?:decided|settled|agreed|approved)\b",
            r"\b(?:the|our|my) (?:final )?decision (?:is|was)\b",
            r"\b(?:was|were|is|has been|have been) (?:approved|rejected|carried|adopted|postponed|"
            r"cancelled|canceled)\b",
            r"\b(?:let's|let us|we'll|we will|we should just|we can) (?:just )?(?:go (?:with|for)|stick (?:with|to)|"
            r"settle (?:on|for)|keep(?! (?:\w+ )?in mind| \w+ing)|drop|skip|postpone|choose|adopt)\b",
            r"\b(?:let's|let us|we'll|we will) (?:just )?use\b",
            r"\bwe(?:'re| are) (?:definitely |simply )?(?:(?:not )?(?:going|gonna) (?:to )?(?:go (?:with|for)|use|drop|"
            r"keep|skip|adopt|choose)|going (?:with|for)|sticking (?:with|to)|keeping (?:the|our|it)|having an?)\b",
            r"\bwe (?:stick (?:with|to)|should just go (?:with|for))\b|\bshould be (?:kept|dropped)\b",
            r"\bwe(?:'re| are) (?:going to|gonna) be (?:selling|using|making|building|offering|launching|targeting)\b",
        ),
        ItemKind.ACTION: _any(
            rf"\bI(?:'ll| will|'m going to| am going to|'m gonna| am gonna) (?:also |just |then )?{_TASKS_EN}",
            rf"\b(?:can|could|would|will) you (?:please |also |maybe )?{_TASKS_EN}",
            rf"\b(?:you|he|she|{_NAME}) (?:need|needs|have|has) to {_TASKS_EN}",
            rf"\b{_NAME}(?:'ll| will| is going to| is gonna) {_TASKS_EN}",
            rf"\b(?:you|he|she|{_NAME})(?:'ll be|'re (?:gonna|going to) be| will be| (?:are|is) (?:gonna|going to) be) "
            rf"(?:just |also )?{_WORKING_EN}",
            rf"\bI(?:'d| would) (?:like|want) (?:you|{_NAME})(?: guys| all)? to (?!be\b|know\b|see\b|hear\b)",
            rf"\bI (?:need|want) (?:you|{_NAME})(?: guys| all)? to (?:tell (?:us|me)|{_TASKS_EN})",
            rf"\bI(?:'d| would)? suggest that {_NAME} ",
            rf"\bI(?:'ll| will) be {_WORKING_EN}",
            rf"\b(?:you|you guys|{_NAME}) (?:should|will|are (?:going to|gonna)) (?:probably |both |all )?"
            rf"(?:work (?:on|together)|{_TASKS_EN})",
            rf"\byou(?:'ll|'re (?:going to|gonna)) (?:work (?:on|together)|{_TASKS_EN})",
            r"\b(?:have|has|need|needs) to \w+.*\b(?:for|by|before|until) the next meeting\b",
            r"\baction (?:item|point)s?\b",
            r"\b(?:I am|I'm|you are|you're|will be) (?:responsible for|in charge of)\b",
            rf"\b{_NAME} (?:is|are) (?:responsible for|in charge of)\b",
            r"\byour (?:task|job|action) (?:is|will be)\b",
            _DATE_EN,
        ),
    },
    "pt": {
        ItemKind.DECISION: _any(
            r"\b(?:nós |já ){0,2}(?:decidimos|combinamos|concordamos|concluímos|aprovamos|escolhemos|acordamos|"
            r"optamos por)\b",
            r"\ba gente (?:já )?(?:decidiu|combinou|concordou|escolheu|aprovou|optou por|"
            r"vai (?:ficar com|usar|manter))\b",
            r"\b(?:fica|ficou|está|foi|foram) (?:decidid|combinad|acertad|acordad|aprovad|adiad|cancelad|"
            r"rejeitad|fechad|definid)[oa]s?\b",
            r"\ba (?:nossa )?decisão (?:final )?(?:é|foi)\b",
            r"\b(?:vamos|podemos) (?:ficar com|manter|adotar|optar|escolher|adiar|cancelar|seguir com)\b",
            r"\bnão vamos (?:usar|incluir|ter|fazer|oferecer)\b|\bvamos (?:apenas |só )?(?:esquecer|descartar|"
            r"deixar de fora|vender|lançar)\b|^então (?:nós )?esquecemos\b|\bdefinitivamente vamos\b",
            r"\bvamos usar\b|\bficamos com\b|\bdeve(?:ria)? ser mantid[oa]\b",
        ),
        ItemKind.ACTION: _any(
            rf"\b(?:eu )?(?:vou|irei) (?:também |já |só )?(?:te |lhe |vos )?{_TASKS_PT}",
            rf"\b(?:você|tu|vocês|ele|ela|(?-i:[A-Z]\w+)) (?:pode|podes|poderia|podem|vai|vão|precisa|precisam|"
            rf"tem que|tem de|"
            rf"deve|devem) (?:de )?{_TASKS_PT}",
            r"\b(?:fica|ficam|ficou|é|está|será) (?:responsável|encarregad[oa]) (?:por|pel[oa]|de)\b",
            r"\b(?:gostaria|queria|quero|preciso) que (?:você|vocês|tu|[oa]s? \w+|(?-i:[A-Z]\w+)) \w+",
            r"\beu (?:me encarrego|cuido|trato|fico encarregad[oa]) d[eao]s?\b",
            r"\b(?:você|vocês|ele|ela|(?-i:[A-Z]\w+)) (?:vai|vão|ficará?|fica) "
            r"(?:estar )?(?:trabalhar|trabalhando|a trabalhar) (?:n[oa]s?|em|com|juntos)\b",
            r"\b(?:você|ele|ela|(?-i:[A-Z]\w+)) estará (?:só |apenas )?(?:trabalhando|pensando|olhando|preparando)\b",
            r"\bsugiro que (?:[oa]s? )?(?-i:[A-Z]\w+)",
            rf"\b(?:você|vocês) (?:provavelmente )?(?:deve|devem) (?:provavelmente )?(?:trabalhar|{_TASKS_PT})",
            r"\b(?:temos|teremos|tem|têm|precisa\w*) (?:que |de ).*\b(?:para|até) a próxima reunião\b",
            _DATE_PT,
        ),
    },
}
_TAGGED = re.compile(r"(?<!right)(?<!yeah)(?<!okay)(?<!certo)(?<!né)\?\W*$", re.IGNORECASE)
"""A real question; "right?" only asks for confirmation."""
_UNSETTLED = _any(
    r"\b(?:if|maybe|perhaps|should we|shall we|might|could|would|haven't|have not|not yet|didn't|did not|"
    r"don't|whether|need to (?:decide|agree|settle)|which (?:one )?we|what we|where we)\b",
    r"\bfor (?:an? )?(?:\w+ )?(?:lunch|coffee|break)\b|\bsince we\b",
    r"\b(?:se|talvez|será que|poderíamos|poderia|ainda não|não)\b(?=.*\b(?:decid|combin|acord|aprov))",
)
"""A decision that is only considered."""
_IDLE = _any(
    r"\b(?:I'll|I will|let me|I'm gonna|I'm going to) (?:just )?(?:talk|present|show|start|begin|go|ask) (?:you )?"
    r"(?:now|first|briefly|quickly)\b",
    r"\b(?:I'll|I will|I'm gonna|I'm going to) present\b|\bwhat I'm\b|\bdunno\b",
    r"^(?:does|did)\b|\bthen we will\b|\bremind you\b",
    r"\b(?:last week|yesterday|ontem|semana passada|don't know|not sure|no idea|não sei)\b",
)
_OPEN = {
    "en": _any(r"^(?:what|when|where|who|how|which|should|shall|could|can|do|does|will|would|is|are)\b.*\?\W*$"),
    "pt": _any(r"(?<!certo)(?<!né)\?\W*$"),
}
_OURS = {
    "en": _any(r"\b(?:we|our|us|should|shall|will|who|going to|gonna|has to|have to|must)\b"),
    "pt": _any(r"\b(?:nós|nos|noss[oa]s?|a gente|quem|v(?:ai|ão|amos)|\w+[aei]mos|será|deve\w*|precisa\w*|tem que)\b"),
}
"""Questions about the team or the future; others are asked out of curiosity and answered."""
_UNKNOWN = {
    "en": _any(
        r"\b(?:the|an|one) (?:open )?question is\b",
        r"\bwe (?:still )?(?:don't|do not) know (?:if|whether|who|what|when|how|which)\b",
        r"\bwe(?:'ll| will)? (?:still )?(?:need|have) to (?:find out|figure out|decide|make a decision)\b"
        r"(?! (?:on |about )?(?:that|it|this)\b)",
    ),
    "pt": _any(
        r"\b(?:nós )?(?:ainda )?não sabemos (?:ainda )?(?:se|quem|o que|quando|como|qual)\b",
        r"\bfalta (?:saber|definir|decidir|descobrir)\b",
        r"\b(?:precisamos|temos (?:de|que)) (?:de )?(?:decidir|definir|descobrir)\b",
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
    r"|are you ready|what (?:did|do) you (?:say|mean)|how are you|(?:shall|should|can|could|do) we (?:\w+ )?(?:move|"
    r"start|begin|leave|stop|wrap|continue|finish|go on|wait|take a break)|(?:podemos|vamos) (?:começar|continuar|"
    r"terminar|parar)|"
    r"vocês me ouvem|tudo bem|alguma (?:pergunta|dúvida))\b"
)
"""Questions about the conversation itself."""


def kind_of(sentence: SpokenSentence, following: Sequence[SpokenSentence] = ()) -> ItemKind | None:
    """Return whether `sentence` is a decision, an action or a question; None if it only belongs to its topic.

    `following` holds the next sentences in order. They may turn a proposal into a decision or answer a question.
    """
    if sentence.length < MIN_DECISION_WORDS or len(sentence.content) < MIN_DECISION_CONTENT:
        return None
    if _asks(sentence):
        return None if is_answered(sentence, following) else ItemKind.QUESTION
    cues = _CUES.get(sentence.language, {})
    if _decides(cues.get(ItemKind.DECISION), sentence.text):
        return ItemKind.DECISION
    if _matches(cues.get(ItemKind.ACTION), sentence.text) and not _IDLE.search(sentence.text):
        return ItemKind.ACTION
    return ItemKind.DECISION if is_agreed(sentence, following) and not _ANY_QUESTION.search(sentence.text) else None


def _decides(pattern: re.Pattern[str] | None, text: str) -> bool:
    """Return whether the text states a decision. Anything far enough after the cue may be open."""
    found = pattern.search(text) if pattern else None
    return found is not None and not _TAGGED.search(text) and not _UNSETTLED.search(text[: found.end() + AFTER])


def _matches(pattern: re.Pattern[str] | None, text: str) -> bool:
    return pattern is not None and pattern.search(text) is not None


def _asks(sentence: SpokenSentence) -> bool:
    """Return whether the sentence asks the meeting a question; a request ("could you send it?") is an action."""
    if _TO_THE_ROOM.search(sentence.text) or _REQUEST.search(sentence.text):
        return False
    if _matches(_UNKNOWN.get(sentence.language), sentence.text):
        return True
    asks = _OPEN.get(sentence.language, _ANY_QUESTION).search(sentence.text) is not None
    ours = _OURS.get(sentence.language)
    return asks and (ours is None or ours.search(sentence.text) is not None)
