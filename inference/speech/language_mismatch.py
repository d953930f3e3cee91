"""Whether a meeting is spoken in the language that its host set: what its utterances sound like, taken together."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection

from inference.types import LanguageHeard

UTTERANCES = 4
"""Utterances that count; older ones are past."""

ENOUGH = 3
"""Of these so many must sound like one other language: a name, a quotation or a bad line is no reason to ask."""

SURE = 0.8
"""Probability from which on an utterance sounds like a language."""


class LanguageMismatch:
    """Holds the last utterances of one meeting; says which language they sound like when that is not the one set."""

    def __init__(self, fixed: str | None, *, considered: Collection[str] = ()) -> None:
        """See `configure`."""
        self._heard: deque[str] = deque(maxlen=UTTERANCES)
        self.configure(fixed, considered=considered)

    @property
    def language(self) -> str | None:
        """The other language; None without doubt."""
        other, count = next(iter(Counter(self._heard).most_common(1)), ("", 0))
        return other if other and count >= ENOUGH else None

    def configure(self, fixed: str | None, *, considered: Collection[str] = ()) -> None:
        """From now on `fixed` is set; None: the language is detected, and there is nothing to doubt.

        Only the languages `considered` are ever asked about; empty: any. What was heard before is forgotten.
        """
        self._fixed = fixed
        self._considered = frozenset(considered)
        self._heard.clear()

    def take(self, heard: LanguageHeard) -> None:
        """Counts one more utterance."""
        self._heard.append(heard.language if self._is_other(heard) else "")

    def _is_other(self, heard: LanguageHeard) -> bool:
        is_considered = not self._considered or heard.language in self._considered
        is_different = self._fixed is not None and heard.language != self._fixed
        return is_different and is_considered and heard.probability >= SURE
