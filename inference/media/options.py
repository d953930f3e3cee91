"""What to decode of a file, and how: choices of the person who sends it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from inference.media.protocol import MAX_TRACKS

ALL_TRACKS = "all"


class TrackChoice(StrEnum):
    """Which audio tracks to decode when no number is given."""

    DEFAULT = "default"
    """The default one."""
    SPOKEN = "spoken"
    """The default one, and those that may hold other people of the same conversation."""
    ALL = ALL_TRACKS


class UnknownTrack(ValueError):
    """The text names no track. The message is a sentence for people."""


@dataclass(frozen=True, slots=True)
class DecodeOptions:
    """Choices for one file."""

    name: str = ""
    """Name of the file where it came from; empty: that of its path."""
    input_format: str = ""
    """Format of a recording without a header (`raw_formats.raw_format`); empty: the file says it."""
    track: int | None = None
    """Number of the only track to decode, from 1; None: `tracks` decides."""
    tracks: TrackChoice = TrackChoice.DEFAULT
    separate_channels: bool = False
    """Keep the channels apart instead of mixing them."""


def track_options(text: str) -> tuple[int | None, TrackChoice]:
    """Return `track` and `tracks` for what a person writes: nothing, a number from 1, or `all`. Raises UnknownTrack."""
    text = text.strip().lower()
    if text in ("", "auto"):
        return None, TrackChoice.SPOKEN
    if text == ALL_TRACKS:
        return None, TrackChoice.ALL
    if text.isascii() and text.isdigit() and 1 <= int(text[:4]) <= MAX_TRACKS and len(text) <= 2:
        return int(text), TrackChoice.DEFAULT
    raise UnknownTrack(f"{text!r} is no audio track; use a number from 1 to {MAX_TRACKS}, or {ALL_TRACKS}.")
