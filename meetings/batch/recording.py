"""Decoding of a recording for a transcript or a meeting: to its end, or as far as possible."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from django.conf import settings

from inference.audio import UnreadableAudioError
from inference.media.options import DecodeOptions
from inference.speech.recorded_file import SPOKEN_TRACKS, RecordedFile, Sound
from meetings.store.nothing_heard import why_nothing


class Hearing:
    """The audio of one file. An error while reading is kept for later, so that the audio before it is not lost."""

    def __init__(self, path: Path, options: DecodeOptions = SPOKEN_TRACKS) -> None:
        """Read the first second. Raises UnreadableAudioError if there is no audio."""
        self._options = options
        self._path = path
        self._file = RecordedFile(path, options, limits=settings.ENVIRONMENT.media_limits)
        self._blocks = self._file.channel_blocks() if self._file.channels > 1 else self._file
        self._first = next(self._blocks)
        self.broken_off: UnreadableAudioError | None = None

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield float32 blocks of a second, shape (channels, n) if channels are kept apart; can be iterated once."""
        yield self._first
        try:
            yield from self._blocks
        except UnreadableAudioError as error:
            self.broken_off = error

    def again(self) -> Hearing:
        """Return the same audio once more."""
        return Hearing(self._path, self._options)

    @property
    def duration_s(self) -> float | None:
        """From the file's metadata; None: not given there."""
        return self._file.duration_s

    @property
    def missing_s(self) -> float | None:
        """Seconds that could not be read; None: the file breaks off, and the rest is unknown."""
        return self._file.missing_s

    @property
    def channels(self) -> int:
        """How many channels are kept apart; 1: none."""
        return self._file.channels

    def loudness(self, channel: int, start: float, end: float) -> float:
        """Return the root mean square of a channel between two times in seconds."""
        return self._file.loudness(channel, start, end)

    @property
    def sound(self) -> Sound:
        """What was there, once all of it was read."""
        return self._file.sound

    def remarks(self, *, has_captions: bool) -> str:
        """Sentences about what is missing or was chosen, once all of it was read; empty: none."""
        nothing = "" if has_captions else f"{self._path}: {why_nothing(self.sound)}"
        return " ".join(filter(None, (self.warning, self._tracks(), self._channels(), nothing)))

    def _channels(self) -> str:
        """Sentence about channels that were to be kept apart, if there is only one."""
        if not self._options.separate_channels or self.channels > 1:
            return ""
        return f"{self._path} has one channel; speakers are told apart by their voices."

    def _tracks(self) -> str:
        """Sentence about several tracks; empty: there is one."""
        tracks, mixed = self._file.tracks, sorted(self._file.mixed)
        if tracks == 1:
            return ""
        numbers = " and ".join(str(index + 1) for index in mixed)
        what = f"tracks {numbers} are mixed" if len(mixed) > 1 else f"track {numbers} is transcribed"
        return f"{self._path} has {tracks} audio tracks; {what}. Choose with --track."

    @property
    def warning(self) -> str:
        """Sentence about missing audio, once all of it was read; empty: nothing is missing."""
        if self.broken_off is not None:
            return f"{self.broken_off}; only the first {self._file.heard_s:.1f} s of it are heard."
        if self.missing_s:
            return f"{self._path} is damaged; {max(0.1, self.missing_s):.1f} s of it could not be read."
        return ""
