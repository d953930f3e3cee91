"""Detect from several utterances that a meeting is not held in the configured language."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection

from inference.types import LanguageHeard

UTTERANCES = 4
"""Number of recent utterances considered."""

ENOUGH = 3
"""Number of these that must agree on another language: a name, a quotation or a bad line is not enough."""

SURE_LANGUAGE = 0.8
"""Minimum probability for an utterance to count as a language."""


class LanguageMismatch:
    """Holds the last utterances of one meeting and reports their common language if it is not the configured one."""

    def __init__(self, fixed: str | None, *, considered: Collection[str] = ()) -> None:
        """Arguments are those of `configure`."""
        self._heard: deque[str] = deque(maxlen=UTTERANCES)
        self.configure(fixed, considered=considered)

    @property
    def language(self) -> str | None:
        """The other language, or None if there is no mismatch."""
        other, count = next(iter(Counter(self._heard).most_common(1)), ("", 0))
        return other if other and count >= ENOUGH else None

    def configure(self, fixed: str | None, *, considered: Collection[str] = ()) -> None:
        """Set the configured language; None means that it is detected, so there cannot be a mismatch.

        Only languages in `considered` are reported; empty allows any. Earlier utterances are forgotten.
        """
        self._fixed = fixed
        self._considered = frozenset(considered)
        self._heard.clear()

    def take(self, heard: LanguageHeard) -> None:
        """Add one utterance."""
        self._heard.append(heard.language if self._is_other(heard) else "")

    def _is_other(self, heard: LanguageHeard) -> bool:
        is_considered = not self._considered or heard.language in self._considered
        is_different = self._fixed is not None and heard.language != self._fixed
        return is_different and is_considered and heard.probability >= SURE_LANGUAGE
