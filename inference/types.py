"""The types of the caption stream: words, captions and progress.

All times are seconds since the meeting's first sample, all positions are sample counts at
`inference.audio.SAMPLE_RATE`. A meeting's clock follows its audio: it stops while the host is paused or offline.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    """One decoded word with its position in the audio."""

    start: float
    """Seconds."""
    end: float
    """Seconds."""
    text: str
    """As decoded, stripped of spaces."""
    probability: float
    """Mean probability of the word's tokens, 0 to 1."""


@dataclass(frozen=True, slots=True)
class PartialCaption:
    """Unstable text of the current utterance; the next one with the same segment replaces it."""

    segment: str
    start: float
    text: str
    provisional: bool = False
    """Written by a smaller model during a swap; the final caption may differ considerably."""


@dataclass(frozen=True, slots=True)
class FinalCaption:
    """One caption, or the sealed part of one: a pure function of the audio and the meeting's settings, never of timing.

    The same audio gives the same finals whether it arrives live, after a crash, from a backlog or from a file.
    """

    segment: str
    """Stable id from the caption's start in the audio, so that decoding the same audio again gives the same id."""
    start: float
    end: float
    text: str
    language: str
    """ISO 639-1 code of the spoken language."""
    words: tuple[Word, ...]
    is_open: bool = False
    """Whether the utterance is still spoken: later captions of the segment begin with the same words."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Everything before `position` is captioned; a session resumed from `checkpoint` continues from there."""

    position: int
    """Samples."""
    checkpoint: str
    """Opaque text from `inference.speech.resume_state.Checkpoint`, stored with its captions."""


@dataclass(frozen=True, slots=True)
class LanguageHeard:
    """The language that a caption's utterance sounds like, whatever language it was transcribed in. Not stored."""

    segment: str
    language: str
    """ISO 639-1 code of the most likely of all languages the model knows."""
    probability: float
    """0 to 1."""


CaptionEvent = PartialCaption | FinalCaption | LanguageHeard | Progress
