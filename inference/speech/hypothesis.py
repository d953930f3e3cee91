"""The unstable text of the current utterance: the part to show, and the part that the next decode takes as fixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from inference.speech.asr import DecodedWord, Hypothesis, spell


@dataclass(frozen=True, slots=True)
class LivePolicy:
    """Values are in seconds unless noted otherwise. docs/live-policy.md has the measurements behind the defaults."""

    first: float = 0.8
    """Audio of an utterance, including pre-roll, before its first live decode."""
    step: float = 0.6
    """New audio between two live decodes during speech."""
    step_cost: float = 1.5
    """The step is at least this many times the last decode's compute time, so that a slow machine keeps up."""
    breath: float = 0.1
    """A pause of this length triggers a decode of the preceding speech; further live decodes wait for more speech."""
    hold_back: float = 1.0
    """Words that end closer than this to the end of the audio may still change, so they are never forced."""
    sure: float = 0.3
    """Words at the end of the audio with a lower probability are not shown yet."""


class HypothesisBuffer:
    """Words of successive decodes of one growing utterance.

    A word is agreed on if it ended well before the end of its audio. Agreed words are the forced prefix of the next
    decode (hold-back after AlignAtt, Papi et al. 2023, with the alignment computed after the decode).
    """

    def __init__(self, policy: LivePolicy) -> None:
        self._policy = policy
        self._words: tuple[DecodedWord, ...] = ()
        self._agreed = 0
        self.text = ""

    @property
    def prefix(self) -> tuple[int, ...]:
        """Tokens of the agreed words."""
        return tuple(token for word in self._words[: self._agreed] for token in word.tokens)

    def update(self, hypothesis: Hypothesis, *, audio_s: float) -> str:
        """Process the decode of the utterance's first `audio_s` seconds; return the text to show."""
        limit = audio_s - self._policy.hold_back
        words = hypothesis.words
        agreed = self._agreed
        while agreed < len(words) and words[agreed].end <= limit:
            agreed += 1
        self._agreed = agreed
        self._words = tuple(self._shown(words))
        self.text = spell(self._words)
        return self.text

    def after(self, seconds: float) -> HypothesisBuffer:
        """Return the words from `seconds` on, as the beginning of the utterance that starts there."""
        rest = HypothesisBuffer(self._policy)
        words = [word for word in self._words if word.start >= seconds]
        rest._words = tuple(replace(word, start=word.start - seconds, end=word.end - seconds) for word in words)
        rest.text = spell(words)
        return rest

    def _shown(self, words: Sequence[DecodedWord]) -> Sequence[DecodedWord]:
        shown = len(words)
        while shown > self._agreed and words[shown - 1].probability < self._policy.sure:
            shown -= 1
        return words[:shown]
