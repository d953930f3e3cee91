"""The unstable text of the current utterance: the words after the sealed ones that are shown, until they are sealed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from inference.speech.asr import DecodedWord, spell
from inference.speech.sealing import comparable, first_after


@dataclass(frozen=True, slots=True)
class LivePolicy:
    """Values are in seconds unless noted otherwise. docs/live-policy.md has the measurements behind the defaults."""

    first: float = 0.8
    """Audio of an utterance, including pre-roll, before its first live decode."""
    step: float = 0.5
    """New audio between two live decodes during speech."""
    step_cost: float = 1.5
    """The step is at least this many times the last decode's compute time, so that a slow machine keeps up."""
    breath: float = 0.1
    """A pause of this length triggers a decode of the preceding speech; further live decodes wait for more speech."""
    context: float = 2.0
    """Audio before the last sealed word that is decoded again."""
    fresh: float = 1.0
    """Words that end closer than this to the end of the audio are shown at once only if they are sure."""
    sure: float = 0.3
    """Probability from which a word is sure. A fresh one below is shown when a second decode has it too."""
    surer: float = 0.4
    """A word stays on the screen unless another one in its place is more probable by this."""


class HypothesisBuffer:
    """The words shown of one utterance, from successive decodes of its growing audio. Times are the meeting's."""

    def __init__(self, policy: LivePolicy, words: Sequence[DecodedWord] = ()) -> None:
        self._policy = policy
        self._words = tuple(words)
        self._decoded = self._words
        """All words of the last decode."""

    @property
    def text(self) -> str:
        """The words as one line."""
        return spell(self._words)

    def update(self, words: Sequence[DecodedWord], *, audio_end: float) -> str:
        """Process a new decode of the words after the sealed ones; return the text to show."""
        self._words = tuple(self._steadied(words[: self._trusted(words, audio_end - self._policy.fresh)]))
        self._decoded = tuple(words)
        return self.text

    def seal(self, until: float) -> None:
        """Drop the words up to `until` seconds, which are sealed now."""
        self._words = self._words[first_after(self._words, until) :]
        self._decoded = self._decoded[first_after(self._decoded, until) :]

    def after(self, seconds: float) -> HypothesisBuffer:
        """Return the words from `seconds` on, as the beginning of the utterance that starts there."""
        return HypothesisBuffer(self._policy, [word for word in self._words if word.start >= seconds])

    def _trusted(self, words: Sequence[DecodedWord], limit: float) -> int:
        """Return how many of the first words end by `limit`, are sure, or were decoded before."""
        before, now = [comparable(word) for word in self._decoded], [comparable(word) for word in words]
        repeated: set[int] = set()
        for block in SequenceMatcher(None, before, now, autojunk=False).get_matching_blocks():
            repeated.update(range(block.b, block.b + block.size))
        unsure = (
            place
            for place, word in enumerate(words)
            if word.end > limit and word.probability < self._policy.sure and place not in repeated
        )
        return next(unsure, len(words))

    def _steadied(self, words: Sequence[DecodedWord]) -> list[DecodedWord]:
        """Return the words as they are shown already where they are the same, or not surer."""
        before = [comparable(word) for word in self._words]
        now = [comparable(word) for word in words]
        steady: list[DecodedWord] = []
        for kind, first, last, begin, end in SequenceMatcher(None, before, now, autojunk=False).get_opcodes():
            old, new = self._words[first:last], words[begin:end]
            is_kept = kind == "equal" or self._is_kept(old, new)
            steady += map(_placed, old, new) if is_kept else new
        return steady

    def _is_kept(self, old: Sequence[DecodedWord], new: Sequence[DecodedWord]) -> bool:
        if len(old) != len(new):
            return False
        return all(was.probability + self._policy.surer > word.probability for was, word in zip(old, new, strict=True))


def _placed(word: DecodedWord, decoded: DecodedWord) -> DecodedWord:
    """Return `word` at the time of the one that was decoded in its place."""
    return replace(word, start=decoded.start, end=decoded.end)
