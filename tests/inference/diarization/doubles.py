"""Voices that were never spoken: known prints at known times, where the real models would be slow or hide the cause."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from inference.audio import SAMPLE_RATE
from inference.diarization.local_speakers import WINDOW_CELLS, LocalVoice
from inference.diarization.turns import CELL_S, SpeakerTurn

WIDTH = 16


def print_of(number: int, *, tilt: float = 0.0) -> np.ndarray:
    """The voice print of a made-up person, turned by `tilt` radians towards nobody; 0 for others' similarity."""
    direction = np.zeros(WIDTH, np.float32)
    direction[number], direction[-1] = np.cos(tilt), np.sin(tilt)
    return direction


def voice(number: int, *, clean_s: float = 3.0, tilt: float = 0.0, cells: slice = slice(0, 500)) -> LocalVoice:
    """A made-up person who speaks in `cells` of a window."""
    active = np.zeros(WINDOW_CELLS, bool)
    active[cells] = True
    return LocalVoice(active, print_of(number, tilt=tilt), clean_s)


class ScriptedListener:
    """Hears in any window the persons `S1`, `S2`, … of a script as they speak there.

    The audio must be `clock(seconds)`, whose samples tell the time.
    """

    def __init__(self, turns: Sequence[SpeakerTurn]) -> None:
        self._turns = turns
        self.windows = 0

    def listen(self, audio: np.ndarray) -> tuple[LocalVoice, ...]:
        self.windows += 1
        heard = np.flatnonzero(audio)
        start = (audio[heard[0]] - 1.0) / SAMPLE_RATE - heard[0] / SAMPLE_RATE
        times = start + (np.arange(WINDOW_CELLS) + 0.5) * CELL_S
        voices = [self._voice(person, times) for person in sorted({turn.speaker or "" for turn in self._turns})]
        return tuple(one for one in voices if one.active.any())

    def _voice(self, person: str, times: np.ndarray) -> LocalVoice:
        active = np.zeros(len(times), bool)
        for turn in self._turns:
            if turn.speaker == person:
                active |= (times >= turn.start) & (times < turn.end)
        seconds = float(active.sum() * CELL_S)
        return LocalVoice(active, print_of(int(person[1:])) if seconds >= 0.25 else None, seconds)


class SilentListener:
    """Hears nobody."""

    def listen(self, audio: np.ndarray) -> tuple[LocalVoice, ...]:
        return ()


class SteadyListener:
    """Hears one and the same person all the time."""

    def listen(self, audio: np.ndarray) -> tuple[LocalVoice, ...]:
        return (voice(0),)


def clock(seconds: float) -> np.ndarray:
    """Audio whose samples are their own positions, counted from one."""
    return np.arange(1, round(seconds * SAMPLE_RATE) + 1, dtype=np.float32)
