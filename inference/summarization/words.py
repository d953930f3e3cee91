"""Compare words for summaries: content words, numbers, and stems.

Function words and stems exist for the languages of `FUNCTION_WORDS`; in others every word counts as written.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any

STEMMERS = {"en": "english", "pt": "portuguese"}
"""Snowball stemmers (Porter 2001, https://snowballstem.org)."""

_WORD = re.compile(r"\d+(?:[.,:]\d+)*[^\W_]*|[^\W\d_]+(?:['’][^\W\d_]+|\d+)*")
_NUMBER = re.compile(r"\d")


def _each(words: str) -> list[str]:
    return words.split()


def _all(words: str) -> frozenset[str]:
    return frozenset(words.split())


FUNCTION_WORDS: dict[str, frozenset[str]] = {
    "en": _all(
        """a about above after again all almost also although always am among an and another any anybody anyone anything
        anyway are aren't around as at away back be because been before being below between both but by came can can't
        cannot come comes could couldn't did didn't different do does doesn't doing don't done down during each either
        else enough even ever every everybody everyone everything few for from further get gets getting give gives go
        goes going gone gonna good got gotta had hadn't has hasn't have haven't having he he'd he'll he's her here
        here's hers herself hey hi him himself his how however i i'd i'll i'm i've if in indeed instead into is isn't it
        it'd it'll it's its itself just keep kind know let let's like little look looks lot lots made make makes making
        many may maybe me mean means might mine more most much must my myself need needn't neither never no nobody none
        nor not nothing now of off often oh ok okay on once one one's ones only onto or other others our ours ourselves
        out over own perhaps per please put quite rather really right said same say saying says see seem seems several
        shall she she'd she'll she's should shouldn't since so some somebody someone something somehow somewhat sort
        still such sure take takes taking tell than thank thanks that that'd that'll that's the their theirs them
        themselves then there there's these they they'd they'll they're they've thing things think this those though
        through thus to together too toward towards try under until up upon us use used using very via wanna want wants
        was wasn't way we we'd we'll we're we've well went were weren't what what's whatever when where where's whether
        which while who who's whole whom whose why will with within without won't would wouldn't yeah yep yes yet you
        you'd you'll you're you've your yours yourself yourselves able actually alright basically already"""
    ),
    "pt": _all(
        """a acho agora ai aí ainda alguém algo algum alguma algumas alguns ali além ante antes ao aonde aos apenas após
        aquela aquelas aquele aqueles aquilo aqui as assim até bem boa bom cada certo claro coisa coisas com como contra
        cá da daquela daquele das de dela delas dele deles depois desde dessa desse desta deste deve devem dia disso
        disto do dos e ela elas ele eles em embora enquanto então entre era eram essa essas esse esses esta estamos
        estar estas estava estavam este estes esteve estou está estão eu exatamente faz fazem fazendo fazer faço feito
        fez ficar foi for fora foram fosse gente há hoje isso isto já la lá lhe lhes lo logo mais mas me mediante melhor
        menos mesma mesmo meu meus minha minhas muita muitas muito muitos na nada naquela naquele nas nem nenhum nenhuma
        ninguém nos nós nossa nossas nosso nossos num numa nunca não né ó o obrigada obrigado oi ok olá onde os ou outra
        outras outro outros para pela pelas pelo pelos per perante pode podem podemos poder poderia pois por porque
        porquê pouco poucos pra pro primeiro qual qualquer quais quando quanto que quem quer quero quê quase se seja
        sejam sem sempre sendo ser será serão seu seus sim so sob sobre sou sua suas são só também tanta tanto tava tem
        temos tenha tenho ter teria teve tinha tipo tivemos toda todas todo todos tu tua tudo um uma umas uns vai vamos
        vem ver vez vezes vocês você vou vão à às é"""
    ),
}
"""Words without meaning of their own; `support` handles the hedges and negations among them."""

NUMBER_WORDS: dict[str, dict[str, int]] = {
    "en": dict(
        zip(
            _each(
                """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
            seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million
            billion"""
            ),
            (*range(20), *range(20, 100, 10), 100, 1_000, 1_000_000, 1_000_000_000),
            strict=True,
        )
    ),
    "pt": dict(
        zip(
            _each(
                """zero um dois três quatro cinco seis sete oito nove dez onze doze treze quatorze quinze dezesseis
            dezessete dezoito dezenove vinte trinta quarenta cinquenta sessenta setenta oitenta noventa cem mil milhão
            bilhão uma duas catorze milhões bilhões cento duzentos trezentos quatrocentos quinhentos"""
            ),
            (
                *(*range(20), *range(20, 100, 10), 100, 1_000, 1_000_000, 1_000_000_000),
                *(1, 2, 14, 1_000_000, 1_000_000_000, 100, 200, 300, 400, 500),
            ),
            strict=True,
        )
    ),
}

_PLURAL = re.compile(r"(?:ões|ães|ãos)$")
"""Plural endings of Portuguese words in -ão, which the stemmer does not relate."""
_IRREGULAR = {
    form: base
    for base, forms in {
        "begin": "began begun",
        "bring": "brought",
        "build": "built",
        "buy": "bought",
        "choose": "chose chosen",
        "cost": "costs",
        "draw": "drew drawn",
        "find": "found",
        "lead": "led",
        "leave": "left",
        "lose": "lost",
        "meet": "met",
        "pay": "paid",
        "person": "people",
        "run": "ran",
        "sell": "sold",
        "send": "sent",
        "show": "shown",
        "speak": "spoke spoken",
        "spend": "spent",
        "write": "wrote written",
    }.items()
    for form in forms.split()
}


def words_of(text: str) -> list[str]:
    """Return the words and numbers of `text` as written; a hyphen separates words."""
    return _WORD.findall(text)


def is_content(word: str, language: str) -> bool:
    """Return whether `word` has meaning of its own; true for numbers, and for any word of a language without a list."""
    lowered = word.lower().replace("’", "'")
    return lowered not in FUNCTION_WORDS.get(language, frozenset()) and (len(word) > 1 or word.isdigit())


def is_number(word: str, language: str) -> bool:
    """Return whether `word` has digits or is one of `NUMBER_WORDS`."""
    return bool(_NUMBER.search(word)) or word.lower() in NUMBER_WORDS.get(language, {})


@lru_cache(maxsize=100_000)
def stem(word: str, language: str) -> str:
    """Return a common stem for forms of one word: "prices" and "price", "sold" and "selling", "12.50" and "12,50"."""
    lowered = word.lower().replace("’", "'").removesuffix("'s")
    if _NUMBER.search(lowered):
        return lowered.replace(",", ".")
    lowered = _IRREGULAR.get(lowered, lowered) if language == "en" else lowered
    number = NUMBER_WORDS.get(language, {}).get(lowered)
    if number is not None:
        return str(number)
    if language == "pt":
        lowered = _PLURAL.sub("ão", lowered)
    stemmer = _stemmer(language)
    return stemmer.stemWord(lowered) if stemmer else lowered


def content_stems(text: str, language: str) -> list[str]:
    """Return the stems of the content words of `text`, in order."""
    return [stem(word, language) for word in words_of(text) if is_content(word, language)]


def all_stems(text: str, language: str) -> list[str]:
    """Return the stems of all words of `text`, in order."""
    return [stem(word, language) for word in words_of(text)]


@cache
def _stemmer(language: str) -> Any | None:
    if language not in STEMMERS:
        return None
    import snowballstemmer

    return snowballstemmer.stemmer(STEMMERS[language])
