"""Compact history of a running meeting's voices, for joint clustering at its end."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from inference.diarization.aggregation import HeardWindow
from inference.diarization.local_speakers import WINDOW_CELLS, LocalVoice


class VoiceHistory:
    """The most recent windows, at most `longest`, in order.

    Biometric data: in memory only, about 0.6 kB per voice (`docs/speakers.md` has the figure for an hour).
    """

    def __init__(self, longest: int) -> None:
        self._windows: deque[_PackedWindow] = deque(maxlen=longest)

    def __len__(self) -> int:
        return len(self._windows)

    def __iter__(self) -> Iterator[HeardWindow]:
        """Iterate over the windows. Embeddings come back in half precision; similarities change by less than 0.001."""
        return (window.unpack() for window in self._windows)

    def append(self, window: HeardWindow) -> None:
        self._windows.append(_PackedWindow.pack(window))

    def clear(self) -> None:
        """Discard all voices."""
        self._windows.clear()


@dataclass(frozen=True, slots=True)
class _PackedVoice:
    active: bytes
    """One bit per cell."""
    print: bytes | None
    """float16."""
    clean_s: float

    @classmethod
    def pack(cls, voice: LocalVoice) -> _PackedVoice:
        half = None if voice.print is None else voice.print.astype(np.float16).tobytes()
        return cls(np.packbits(voice.active).tobytes(), half, voice.clean_s)

    def unpack(self) -> LocalVoice:
        active = np.unpackbits(np.frombuffer(self.active, np.uint8), count=WINDOW_CELLS).astype(bool)
        whole = None if self.print is None else np.frombuffer(self.print, np.float16).astype(np.float32)
        return LocalVoice(active, whole, self.clean_s)


@dataclass(frozen=True, slots=True)
class _PackedWindow:
    start: int
    voices: tuple[_PackedVoice, ...]
    numbers: tuple[int, ...]

    @classmethod
    def pack(cls, window: HeardWindow) -> _PackedWindow:
        return cls(window.start, tuple(_PackedVoice.pack(voice) for voice in window.voices), window.numbers)

    def unpack(self) -> HeardWindow:
        return HeardWindow(self.start, tuple(voice.unpack() for voice in self.voices), self.numbers)
