"""The interface between sessions and speech recognition: decode requests and hypotheses.

The transcriber chooses the model and groups requests into batches (`inference.speech.whisper`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Literal, Protocol

import numpy as np

from inference.types import Word

DecodeKind = Literal["live", "seal", "final", "careful"]
"""`live`: fast greedy decode, shown and replaced. `seal`: greedy, with more context; most of its words stand. `final`:
beam search, of a whole utterance. `careful`: another decode of a final whose first hypothesis was implausible, with
other settings.
"""


@dataclass(frozen=True, slots=True, eq=False)
class DecodeRequest:
    """One segment of audio to transcribe."""

    kind: DecodeKind
    start: int
    """Position in samples where `audio` begins in the meeting."""
    audio: np.ndarray
    """float32, shape (samples,), at SAMPLE_RATE."""
    language: str | None
    """ISO 639-1; None to detect it from the audio."""
    allowed: tuple[str, ...] = ()
    """Languages that may be detected; empty allows all."""
    heard: Mapping[str, float] = field(default_factory=dict)
    """Probabilities of the languages in the preceding speech; empty: none was heard."""
    vocabulary: tuple[str, ...] = ()
    """Names and jargon to expect."""
    utterance: int | None = None
    """Position in samples where its utterance begins; None: at `start`."""


@dataclass(frozen=True, slots=True)
class DecodedWord:
    """A word with its tokens. Times are seconds since the start of the request's audio."""

    tokens: tuple[int, ...]
    spelling: str
    """As decoded; in most languages with a leading space."""
    start: float
    end: float
    probability: float
    """Mean over the tokens."""

    def at(self, offset: float) -> Word:
        """Return the word in meeting time, where `offset` is the start of the audio in seconds."""
        return Word(round(self.start + offset, 2), round(self.end + offset, 2), self.spelling.strip(), self.probability)


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """The result of a decode with its confidence."""

    words: tuple[DecodedWord, ...]
    language: str
    language_probability: float
    """Considering the preceding speech; 1.0 if the language was given."""
    no_speech: float
    """Whisper's probability of the no-speech token, 0 to 1."""
    mean_log_probability: float
    """Per token, natural logarithm."""
    seconds: float
    """Compute time of the decode; the time of a batch is divided evenly."""
    detected: tuple[str, float] | None = None
    """If the language was given: the most likely of all languages and its probability. Only for finals that are long
    enough to tell.
    """
    ranking: tuple[tuple[str, float], ...] = ()
    """If the language was detected: all languages with their probabilities, from this audio alone, best first."""

    @property
    def text(self) -> str:
        """The words as one line."""
        return spell(self.words)


def spell(words: Sequence[DecodedWord]) -> str:
    """Join the words to one line, spaced as decoded."""
    return "".join(word.spelling for word in words).strip()


@dataclass(slots=True)
class StageSeconds:
    """Compute time by stage since the start, for the metrics."""

    features: float = 0.0
    encode: float = 0.0
    detect: float = 0.0
    decode: float = 0.0
    align: float = 0.0
    audio: float = 0.0
    """Seconds of decoded audio, not compute time."""

    def add(self, other: StageSeconds) -> None:
        """Add the seconds of `other`."""
        for stage in fields(self):
            setattr(self, stage.name, getattr(self, stage.name) + getattr(other, stage.name))


@contextmanager
def timed(stages: StageSeconds, name: str) -> Iterator[None]:
    """Add the duration of the block to the stage `name`."""
    started = time.perf_counter()
    yield
    setattr(stages, name, getattr(stages, name) + time.perf_counter() - started)


class Transcriber(Protocol):
    """Transcribes audio. Not thread-safe."""

    @property
    def stages(self) -> StageSeconds:
        """Compute time since the start."""
        ...

    def transcribe(self, requests: Sequence[DecodeRequest]) -> list[Hypothesis]:
        """Return one hypothesis per request, in order. The text depends only on the request."""
        ...
