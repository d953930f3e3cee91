"""A recording on its way into a transcript or a meeting: heard to its end, or as far as it can be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from django.conf import settings

from inference.audio import UnreadableAudioError, decode_file


class Hearing:
    """The sound of one file. What breaks it off is kept for afterwards, so that what was heard is not lost."""

    def __init__(self, path: Path) -> None:
        """Reads the first second. Raises UnreadableAudioError when there is nothing to hear."""
        self._path = path
        self._file = decode_file(path, limits=settings.ENVIRONMENT.media_limits)
        self._first = next(self._file)
        self.broken_off: UnreadableAudioError | None = None

    def __iter__(self) -> Iterator[np.ndarray]:
        """Float32 blocks of a second; once."""
        yield self._first
        try:
            yield from self._file
        except UnreadableAudioError as error:
            self.broken_off = error

    @property
    def duration_s(self) -> float | None:
        """As the file says; None when it does not."""
        return self._file.duration_s

    @property
    def missing_s(self) -> float | None:
        """Seconds that could not be read; None: it broke off, and nobody knows how much was to come."""
        return self._file.missing_s

    @property
    def warning(self) -> str:
        """What people should know when all is heard, as a sentence; empty when nothing is missing."""
        if self.broken_off is not None:
            return f"{self.broken_off}; only the first {self._file.heard_s:.1f} s of it are heard."
        if self.missing_s:
            return f"{self._path} is damaged; {max(0.1, self.missing_s):.1f} s of it could not be read."
        return ""
