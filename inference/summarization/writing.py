"""Write an item from its evidence: the model's line if captions support it, else the caption itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inference.summarization.chat import Answer
from inference.summarization.prompts import is_quotation, read
from inference.summarization.selection import Evidence
from inference.summarization.summary import Item
from inference.summarization.support import Unsupported, find_fault, supporting
from inference.summarization.utterances import SpokenSentence
from inference.text import join_texts

LONGEST_QUOTATION = 30
"""Maximum words; a longer quotation is cut and marked with an ellipsis."""
MOST_STATEMENTS = 2
"""Maximum statements in an item."""


@dataclass(frozen=True, slots=True)
class Check:
    """One statement of the model, checked."""

    text: str
    cited: tuple[SpokenSentence, ...]
    """The sentences that it is based on; may be empty."""
    fault: Unsupported | None
    """The first rule that it violates; None if the captions support it."""


def quote(evidence: Evidence, *, owner: str | None = None) -> Item:
    """Quote the best sentence, with its speaker's name if the host gave one."""
    return Item(evidence.kind, _quotation(evidence.best), evidence.best.segments, owner)


def write(evidence: Evidence, answer: Answer | None) -> Item:
    """Return the model's supported statements, or a quotation if there are none."""
    found = [check for check in checked(evidence, answer) if check.fault is None] if answer else []
    if not found:
        return quote(evidence)
    kept = found[:MOST_STATEMENTS]
    segments = dict.fromkeys(segment for check in kept for sentence in check.cited for segment in sentence.segments)
    text = join_texts([check.text for check in kept], evidence.best.language)
    return Item(evidence.kind, text, tuple(segments))


def checked(evidence: Evidence, answer: Answer) -> list[Check]:
    """Return every statement of `answer` with the sentences that it is based on."""
    names = [sentence.name for sentence in evidence.sentences if sentence.name]
    return [_check(evidence, text, names) for text in read(answer.text, names, is_complete=answer.is_complete)]


def _check(evidence: Evidence, text: str, names: Sequence[str]) -> Check:
    language = evidence.best.language
    cited = tuple(supporting(text, evidence.sentences, language))
    fault = find_fault(text, cited, language) if cited else Unsupported.NOTHING
    if fault in (Unsupported.REPORTED, Unsupported.CERTAINTY) and is_quotation(text, names):
        fault = None
    return Check(text, cited, fault)


def _quotation(sentence: SpokenSentence) -> str:
    words = sentence.text.split()
    text = (
        sentence.text if len(words) <= LONGEST_QUOTATION else f"{' '.join(words[:LONGEST_QUOTATION]).rstrip(',;:')} …"
    )
    return f"{sentence.name}: {text}" if sentence.name else text
