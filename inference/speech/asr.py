"""Speech recognition as the sessions see it: a request to decode, and what was understood.

Which model answers, and how requests share its batches, is the transcriber's business (`inference.speech.whisper`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Literal, Protocol

import numpy as np

from inference.types import Word

Kind = Literal["live", "final", "careful"]
"""`live`: quick and greedy, to be shown and replaced. `final`: with beam search, for good. `careful`: a final whose
first answer was not to be believed, decoded another way."""


UNSURE_LANGUAGE = 0.5
"""Below this probability an utterance's language is taken from what was spoken before."""


@dataclass(frozen=True, slots=True, eq=False)
class DecodeRequest:
    """One stretch of audio to be written down."""

    kind: Kind
    start: int
    """Samples: where `audio` begins in the meeting; names the utterance."""
    audio: np.ndarray
    """float32, shape (samples,), at SAMPLE_RATE."""
    language: str | None
    """ISO 639-1; None: detected in the audio."""
    allowed: tuple[str, ...] = ()
    """Languages that may be detected; empty: all."""
    fallback: str | None = None
    """Language to assume when the detection is less sure than UNSURE_LANGUAGE."""
    vocabulary: tuple[str, ...] = ()
    """Names and jargon to expect."""
    prefix: tuple[int, ...] = ()
    """Tokens that the text must begin with."""


@dataclass(frozen=True, slots=True)
class DecodedWord:
    """A word with the tokens it was spelled by. Times are seconds since the start of the request's audio."""

    tokens: tuple[int, ...]
    spelling: str
    """As decoded: most languages' words carry their leading space."""
    start: float
    end: float
    probability: float
    """Mean over the tokens."""

    def at(self, offset: float) -> Word:
        """The word in the meeting's time, `offset` being the start of the audio in seconds."""
        return Word(round(self.start + offset, 2), round(self.end + offset, 2), self.spelling.strip(), self.probability)


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What a decode understood, and how sure it was."""

    words: tuple[DecodedWord, ...]
    language: str
    language_probability: float
    """As detected, whether or not the fallback was taken instead; 1.0 where the language was given."""
    no_speech: float
    """Whisper's probability of the no-speech token, 0 to 1."""
    mean_log_probability: float
    """Per token, natural logarithm."""
    seconds: float
    """Compute time that the decode took; a batch is shared out evenly."""
    detected: tuple[str, float] | None = None
    """Where the language was given: the one that it sounds like of all, and how probable that is. Only for finals that
    are long enough to tell."""

    @property
    def text(self) -> str:
        """The words as one line."""
        return spell(self.words)


def spell(words: Sequence[DecodedWord]) -> str:
    """The words as one line, spaced as decoded."""
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
    """Seconds of audio given to decode; not compute."""

    def add(self, other: StageSeconds) -> None:
        """Counts the seconds of `other` in."""
        for stage in fields(self):
            setattr(self, stage.name, getattr(self, stage.name) + getattr(other, stage.name))


@contextmanager
def timed(stages: StageSeconds, name: str) -> Iterator[None]:
    """Counts the time of the block to the stage `name`."""
    started = time.perf_counter()
    yield
    setattr(stages, name, getattr(stages, name) + time.perf_counter() - started)


class Transcriber(Protocol):
    """Writes audio down. Not to be called from two threads at once."""

    @property
    def stages(self) -> StageSeconds:
        """Compute time since the start."""
        ...

    def transcribe(self, requests: Sequence[DecodeRequest]) -> list[Hypothesis]:
        """One hypothesis a request, in their order. The text depends on the request alone."""
        ...
