"""The vocabulary of the caption stream: words, captions, progress.

All times are seconds since the meeting's first sample, all positions are sample counts at
`inference.audio.SAMPLE_RATE`. A meeting's clock is its audio: while the host is paused or offline it stands still.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    """One decoded word with its place in the audio."""

    start: float
    """Seconds."""
    end: float
    """Seconds."""
    text: str
    """As decoded, without surrounding space."""
    probability: float
    """Mean probability of the word's tokens, 0 to 1."""


@dataclass(frozen=True, slots=True)
class PartialCaption:
    """Unstable text of the utterance being spoken; the next one with the same segment replaces it."""

    segment: str
    start: float
    text: str
    provisional: bool = False
    """Written by a smaller model while the others are away: the caption may read quite differently."""


@dataclass(frozen=True, slots=True)
class FinalCaption:
    """One caption for good: a pure function of the audio and the meeting's settings, never of timing.

    The same audio gives the same finals whether it is heard live, after a crash, from a backlog or from a file.
    """

    segment: str
    """Stable id: where in the audio the caption starts, so that a second decode of the same audio finds the same id."""
    start: float
    end: float
    text: str
    language: str
    """ISO 639-1 code, as spoken."""
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """Everything before `position` is captioned; a session resumed from `checkpoint` continues from there."""

    position: int
    """Samples."""
    checkpoint: str
    """Opaque text of `inference.speech.session.Checkpoint`, stored with the captions it belongs to."""


@dataclass(frozen=True, slots=True)
class LanguageHeard:
    """What the utterance of a caption sounds like, whatever language it was written down in. It is not stored."""

    segment: str
    language: str
    """ISO 639-1 code; of all that the model knows the likeliest."""
    probability: float
    """0 to 1."""


CaptionEvent = PartialCaption | FinalCaption | LanguageHeard | Progress
