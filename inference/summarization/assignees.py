"""Find the assignee of an action."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from inference.summarization.agreement import accepted_by
from inference.summarization.utterances import SpokenSentence

_FIRST_PERSON = re.compile(
    r"\bI(?:'ll| will|'m going to| am going to|'m gonna| am gonna| need to| have to)\b(?! (?:need|want|like) you)"
    r"|\b(?:eu )?(?:vou|irei|fico|preciso(?! que))\b|\beu (?:me encarrego|cuido|trato)\b",
    re.IGNORECASE,
)
_SEVERAL = re.compile(
    r"\b(?:you (?:guys|all|both|two)|individual\w*|each|everybody|everyone|vocês|cada um|todos)\b", re.IGNORECASE
)
_ASKED = re.compile(r"\b(?:you|your|você|tu|te)\b", re.IGNORECASE)


def owner_of(
    sentence: SpokenSentence, speakers: Mapping[str, str], following: Sequence[SpokenSentence] = ()
) -> str | None:
    """Return the speaker if they say "I", else the only speaker named (id → name), else the one who accepts the
    request.

    None if there are none or several: a missing owner is better than a wrong one.
    """
    if _FIRST_PERSON.search(sentence.text):
        return sentence.speaker
    said = {word.lower() for word in re.findall(r"\w+", sentence.text)}
    named = [who for who, name in speakers.items() if name and all(part in said for part in name.lower().split())]
    if named:
        return named[0] if len(named) == 1 else None
    is_asked = _ASKED.search(sentence.text) and not _SEVERAL.search(sentence.text)
    return accepted_by(sentence, following) if is_asked else None
