"""Check whether captions support a generated line: twelve rules, published in docs/summaries.md.

No rule understands the line. Together they only accept clauses that repeat one caption in its own words, no more
certain and no less negated than spoken. Rejecting a true line costs little: the caption itself is quoted instead.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby

from inference.summarization.utterances import SpokenSentence
from inference.summarization.words import (
    FUNCTION_WORDS,
    all_stems,
    content_stems,
    is_number,
    stem,
    words_of,
)


class Unsupported(StrEnum):
    """The rule that a line violates."""

    NOTHING = "says nothing"
    NUMBER = "a number that was not said"
    NAME = "a name that was not said"
    WORD = "a word that was not said"
    WEIGHT = "a word such as all, only or never that was not said"
    MIXED = "words of two statements in one clause"
    SPEAKER = "said by someone else"
    NEGATION = "negated otherwise than it was said"
    OBLIGATION = "wanted, owed or possible where nobody said so"
    TENSE = "told as done where nobody said so"
    CERTAINTY = "surer than it was said"
    REPORTED = "asserts what was only reported"


def _all(words: str) -> frozenset[str]:
    return frozenset(words.split())


def _stems(language: str, words: str) -> frozenset[str]:
    return frozenset(stem(word, language) for word in words.split())


_REPORTING = {
    "en": _stems(
        "en",
        """said says say asked asks discussed discusses discussing talked talks talking mentioned mentions explained
        explains described describes considered spoke told presented raised meeting team group participants people
        speaker speakers they""",
    ),
    "pt": _stems(
        "pt",
        """disse disseram diz perguntou perguntaram discutiu discutiram falou falaram mencionou mencionaram explicou
        explicaram descreveu descreveram considerou consideraram apresentou reunião equipe equipa grupo participantes
        pessoas""",
    ),
}
"""Words for reporting speech; they only claim that something was discussed."""
_SOFT = {
    "en": _stems(
        "en", "asked asks discussed discusses considered whether if maybe might may could should would perhaps"
    ),
    "pt": _stems("pt", "perguntou perguntaram discutiu discutiram considerou consideraram se talvez poderia deveria"),
}
"""Words that leave open whether something is true."""
_REPORTS = {
    "en": _stems("en", "said says say asked asks mentioned explained described discussed talked told"),
    "pt": _stems("pt", "disse disseram diz perguntou mencionou explicou descreveu discutiram falou falaram"),
}
"""Words that mark a line as reported speech."""
_NEGATIONS = {
    "en": re.compile(r"\b(?:not|no|never|none|nobody|nothing|neither|nor|without|cannot|\w+n['’]t)\b", re.IGNORECASE),
    "pt": re.compile(r"\b(?:não|nunca|nenhum|nenhuma|ninguém|nada|nem|sem|jamais)\b", re.IGNORECASE),
}
_HEDGES = {
    "en": re.compile(
        r"\?|\b(?:if|whether|maybe|perhaps|might|could|should|would|may|probably|unless|suppose|wonder|guess)\b"
        r"|\b(?:do|does|did|are|is) (?:they|we|you|he|she|people|users)\b",
        re.IGNORECASE,
    ),
    "pt": re.compile(
        r"\?|\b(?:se|talvez|poderia|poderíamos|deveria|deveríamos|provavelmente|seria|será que|caso)\b", re.IGNORECASE
    ),
}
_FRAMES = {
    "en": re.compile(
        r"\b(?:say|says|said|tell|tells|told|write|writes|wrote|claim\w*|state[sd]?|report\w*|pretend\w*|imagine\w*|"
        r"put down|note down|record that|announce\w*|argue[sd]?|believe[sd]?|heard|rumou?r\w*)\b",
        re.IGNORECASE,
    ),
    "pt": re.compile(
        r"\b(?:diz|dizem|disse|disseram|diga|digam|dizer|escreva|escrever|escreveu|afirm\w+|declar\w+|"
        r"finj\w+|imagin\w+|"
        r"anot\w+|regist\w+|anunci\w+|acredit\w+|ouvi)\b",
        re.IGNORECASE,
    ),
}
"""The text after these words is not itself asserted."""
_WEIGHTY = {
    "en": _all(
        """all always any before after below above best better both different during each every everybody everyone
        everything few first further here less more most much many now only several since still until will won't without
        worse again almost enough instead never none nobody nothing already"""
    ),
    "pt": _all(
        """todo todos toda todas tudo sempre antes após depois cada menos mais muito muitos muita muitas agora hoje só
        somente apenas sem ainda já nunca nenhum nenhuma ninguém nada melhor pouco poucos até desde vai vão vamos
        primeiro"""
    ),
}
"""Function words that change a claim; they must have been spoken."""
_MODALS = {
    "en": _all("should must can shall cannot ought"),
    "pt": _all("deve devem deveria deveriam pode podem precisa precisam"),
}
"""Words for wishes, duties and possibilities; a clause may not add one to its sentence."""
_PAST = re.compile(r"[a-z]{2,}ed", re.IGNORECASE)
_COMMITMENT = {"en": _stems("en", "must going"), "pt": _stems("pt", "deve devem")}
_JOINT = r"(?:and|but|while|because|so|which|who|or|e|mas|enquanto|porque|pois|ou)\s+"
_CLAUSES = re.compile(rf"[;:,.!?]\s+(?:{_JOINT})?|\s+{_JOINT}", re.IGNORECASE)
_PARTS = re.compile(rf";\s+|[.!?]\s+|,?\s+{_JOINT}", re.IGNORECASE)
_PAUSE = re.compile(r"[;:,.!?]\s+")
_SENTENCE_START = re.compile(r"(?:^|[.!?:]\s+)[\"“'(]?(\w+)")


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a line with a single claim, and the speaker it is attributed to."""

    text: str
    stems: tuple[str, ...]
    """Content words that must have been spoken, in order."""
    speaker: str | None
    """The name in the line; None if it does not name a speaker."""


def find_fault(line: str, cited: Sequence[SpokenSentence], language: str) -> Unsupported | None:
    """Return the first rule that `line` violates against its cited sentences; None if they support it."""
    names = tuple({sentence.name for sentence in cited if sentence.name})
    bare = _without_names(line, names)
    checks = (
        _numbers(bare, cited, language),
        _names(bare, cited, language),
        _words(bare, cited, language),
        _weights(bare, cited, language),
    )
    found = next((fault for fault in checks if fault), None)
    return found or _clauses_fault(line, cited, language, names)


def supporting(line: str, sentences: Sequence[SpokenSentence], language: str) -> list[SpokenSentence]:
    """Return the sources of `line`: for every clause the sentence that shares most of its content words."""
    names = tuple({sentence.name for sentence in sentences if sentence.name})
    best = {id(source) for clause in clauses_of(line, language, names) if (source := _source(clause, sentences))}
    return [sentence for sentence in sentences if id(sentence) in best]


def clauses_of(line: str, language: str, names: Sequence[str] = ()) -> list[Clause]:
    """Return the clauses of `line` that have content words. A named speaker applies until another is named."""
    found: list[Clause] = []
    speaker: str | None = None
    for text in _CLAUSES.split(line):
        speaker = next((name for name in names if re.match(rf"\W*{re.escape(name)}\b", text, re.IGNORECASE)), speaker)
        free = _REPORTING.get(language, frozenset())
        stems = tuple(word for word in content_stems(_without_names(text, names), language) if word not in free)
        if found and not stems:
            # "but nobody knows" qualifies the clause before it.
            found[-1] = replace(found[-1], text=f"{found[-1].text} {text}")
        else:
            found.append(Clause(text, stems, speaker))
    return [clause for clause in found if clause.stems]


def number_runs(text: str, language: str) -> set[tuple[str, ...]]:
    """Return the numbers in `text` as stems. Adjacent number words form one number; "one" alone does not count."""
    runs = (
        tuple(stem(word, language) for word in run)
        for part in _PAUSE.split(text)
        for numeric, run in groupby(words_of(part), key=lambda word: is_number(word, language))
        if numeric
    )
    return set(runs) - {("1",)}


def _without_names(text: str, names: Sequence[str]) -> str:
    for name in sorted(names, key=len, reverse=True):
        text = re.sub(rf"\b{re.escape(name)}\b(?:['’]s)?", " ", text, flags=re.IGNORECASE)
    return text


def _numbers(line: str, cited: Sequence[SpokenSentence], language: str) -> Unsupported | None:
    said = {run for sentence in cited for run in number_runs(sentence.text, language)}
    return None if number_runs(line, language) <= said else Unsupported.NUMBER


def _names(line: str, cited: Sequence[SpokenSentence], language: str) -> Unsupported | None:
    said = {word.lower() for sentence in cited for word in words_of(sentence.text)}
    first = {match.group(1) for match in _SENTENCE_START.finditer(line)}
    functions = FUNCTION_WORDS.get(language, frozenset())
    for word in words_of(line):
        if word[0].isupper() and word.lower() not in said | functions and word not in first:
            return Unsupported.NAME
    return None


def _words(line: str, cited: Sequence[SpokenSentence], language: str) -> Unsupported | None:
    said = {word for sentence in cited for word in sentence.stems} | _REPORTING.get(language, frozenset())
    return None if set(content_stems(line, language)) <= said else Unsupported.WORD


def _weights(line: str, cited: Sequence[SpokenSentence], language: str) -> Unsupported | None:
    said = {word.lower() for sentence in cited for word in words_of(sentence.text)}
    stems = {word for sentence in cited for word in sentence.stems}
    weighty = {word.lower() for word in words_of(line)} & _WEIGHTY.get(language, frozenset())
    committed = set(all_stems(line, language)) & _COMMITMENT.get(language, frozenset())
    future = (
        {"will"}
        if said & {"i'll", "we'll", "you'll", "it'll", "they'll", "he'll", "she'll", "gonna", "going"}
        else set()
    )
    return None if weighty <= said | future and committed <= stems else Unsupported.WEIGHT


def _clauses_fault(
    line: str, cited: Sequence[SpokenSentence], language: str, names: Sequence[str]
) -> Unsupported | None:
    clauses = clauses_of(line, language, names)
    if not clauses:
        return Unsupported.NOTHING
    return next((fault for clause in clauses if (fault := _clause_fault(clause, line, cited, language))), None)


def _clause_fault(clause: Clause, line: str, cited: Sequence[SpokenSentence], language: str) -> Unsupported | None:
    source = _source(clause, cited)
    if source is None or not any(set(clause.stems) <= part for part in _parts(source, language)):
        return Unsupported.MIXED
    if clause.speaker and clause.speaker not in (source.name,) and clause.speaker.lower() not in source.text.lower():
        return Unsupported.SPEAKER
    if _is(_NEGATIONS, clause.text, language) != _is(_NEGATIONS, source.text, language):
        return Unsupported.NEGATION
    if _modals(clause.text, language) - _modals(source.text, language):
        return Unsupported.OBLIGATION
    if _is_done(clause.text, source, language):
        return Unsupported.TENSE
    said = set(all_stems(line, language))
    if _is(_HEDGES, source.text, language) and not said & _SOFT.get(language, frozenset()):
        return Unsupported.CERTAINTY
    if _is(_FRAMES, source.text, language) and not said & _REPORTS.get(language, frozenset()):
        return Unsupported.REPORTED
    return None


def _is_done(text: str, source: SpokenSentence, language: str) -> bool:
    """Return whether a past form that was not spoken claims a completed event; English only."""
    said = {word.lower() for word in words_of(source.text)}
    past = {word.lower() for word in words_of(text) if _PAST.fullmatch(word)} if language == "en" else set()
    return any(word not in said and stem(word, "en") not in _REPORTING["en"] for word in past)


def _modals(text: str, language: str) -> set[str]:
    return {word.lower() for word in words_of(text)} & _MODALS.get(language, frozenset())


def _parts(source: SpokenSentence, language: str) -> list[set[str]]:
    """Return the stems of each part between conjunctions: words on both sides of one do not form a claim together."""
    return [set(all_stems(part, language)) for part in _PARTS.split(source.text)]


def _source(clause: Clause, sentences: Sequence[SpokenSentence]) -> SpokenSentence | None:
    """Return the sentence that shares most of the clause's words, preferring its named speaker."""
    wanted = set(clause.stems)

    def rank(sentence: SpokenSentence) -> tuple[int, bool]:
        return len(wanted & sentence.stems), clause.speaker is not None and clause.speaker == sentence.name

    best = max(sentences, key=rank, default=None)
    return best if best is not None and wanted & best.stems else None


def _is(patterns: dict[str, re.Pattern[str]], text: str, language: str) -> bool:
    pattern = patterns.get(language)
    return pattern is not None and pattern.search(text) is not None
