"""One meeting's speakers: samples in, windows to listen to out, voices in, turns out.

Without I/O, clocks or models, as `inference.session` is: whoever runs it feeds audio, has the windows listened to
whenever there is time, and hands the voices back. Turns are a pure function of the audio since `start`, however it was
cut into `feed` calls. Text never waits for them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from inference.audio import AudioBuffer
from inference.diarization.clustering import Gallery, SpeakerHint
from inference.diarization.segmentation import WINDOW
from inference.diarization.timeline import HeardWindow, vote
from inference.diarization.turns import CELL_S, SpeakerTurn, SpeakerTurns, turns_of
from inference.diarization.voices import CELL, STEP, STEP_CELLS, WINDOW_CELLS, LocalVoice

LATENCY_S = 2.0
"""Seconds after which a moment is first labelled: a voice needs that long to be known."""

LATENCY_CELLS = round(LATENCY_S / CELL_S)


@dataclass(frozen=True, slots=True, eq=False)
class WindowRequest:
    """Audio to listen to."""

    end: int
    """Samples since the meeting's first: where the window ends."""
    audio: np.ndarray
    """float32, shape (WINDOW,); silence stands for what lies before the meeting or beyond `end`."""


class SpeakerTracker:
    """See the module.

    Memory is bounded: ten seconds of audio, ten windows, one direction for each speaker. All of it is biometric or
    sound, so none of it is stored: after a crash a new tracker starts where the audio log still reaches, with numbers
    from `first_number` on, so that no id is given to a second person. The pass over the recording joins them again.
    """

    def __init__(self, hint: SpeakerHint | None = None, *, start: int = 0, first_number: int = 0) -> None:
        """`start`: the position of the first sample to be fed, a multiple of CELL; numbers below `first_number` are
        taken. Raises ValueError for a `start` off the grid."""
        if start % CELL:
            raise ValueError(f"a tracker starts at a multiple of {CELL} samples, not at {start}")
        self._gallery = Gallery(maximum=hint.maximum if hint else None, first=first_number)
        self._buffer = AudioBuffer(start)
        self._start = start
        self._asked = start
        self._windows: deque[HeardWindow] = deque(maxlen=WINDOW_CELLS // STEP_CELLS)
        self._first_cell = start // CELL
        self._labelled = self._first_cell
        self._turns: tuple[SpeakerTurn, ...] = ()

    @property
    def received(self) -> int:
        """Samples fed so far, counted from the meeting's first."""
        return self._buffer.end

    @property
    def labelled_s(self) -> float:
        """Seconds since the meeting's first sample up to which it is said who speaks."""
        return round(self._labelled * CELL_S, 2)

    @property
    def speakers(self) -> int:
        """Voices known so far."""
        return len(self._gallery)

    def feed(self, samples: np.ndarray) -> None:
        """Takes float32 mono samples at SAMPLE_RATE, shape (n,), that follow on `received`."""
        self._buffer.append(samples)

    def request(self, *, is_end: bool = False) -> WindowRequest | None:
        """The next window to listen to, one at a time and in order; None when there is too little new audio.

        `is_end`: nothing follows for now, so what is left is a window too.
        """
        end = self._asked + STEP
        if end > self._buffer.end and (not is_end or self._buffer.end <= self._asked):
            return None
        first, last = max(self._start, end - WINDOW), min(end, self._buffer.end)
        audio = np.zeros(WINDOW, np.float32)
        audio[first - (end - WINDOW) : last - (end - WINDOW)] = self._buffer.slice(first, last)
        return WindowRequest(end, audio)

    def accept(
        self, request: WindowRequest, voices: tuple[LocalVoice, ...], *, is_end: bool = False
    ) -> SpeakerTurns | None:
        """What `request` tells about who spoke: new turns, and older ones that changed. None when nothing is new.

        `is_end`: label up to the last sample, not only up to LATENCY_S before it. Raises ValueError for a window that
        is not the next one.
        """
        if request.end != self._asked + STEP:
            raise ValueError(f"the window that ends at {self._asked + STEP} comes next, not {request.end}")
        self._asked = request.end
        self._buffer.drop_before(request.end + STEP - WINDOW)
        numbers = tuple(self._gallery.recognise(voices))
        self._windows.append(HeardWindow(request.end // CELL - WINDOW_CELLS, voices, numbers))
        return self._label(
            min(request.end, self._buffer.end) // CELL if is_end else request.end // CELL - LATENCY_CELLS
        )

    def turns(self) -> SpeakerTurns:
        """What is known now about the last seconds, as far as later windows may still change it."""
        start = max(self._first_cell, self._asked // CELL - WINDOW_CELLS)
        return SpeakerTurns(round(start * CELL_S, 2), self.labelled_s, self._turns)

    def _label(self, end: int) -> SpeakerTurns | None:
        """Decides anew about all that the windows heard, up to the cell `end`."""
        end = max(end, self._labelled)  # after a pause, what was labelled up to its last sample stays so
        if end == self._first_cell:
            return None
        start = max(self._first_cell, self._windows[-1].start)
        turns = turns_of(*vote(self._windows, start, end), start=start)
        known = SpeakerTurns(round(start * CELL_S, 2), round(end * CELL_S, 2), turns)
        changed = _first_change(self._turns, turns, start=known.start, end=self.labelled_s)
        self._labelled, self._turns = end, turns
        return cut_turns(known, changed)


def _first_change(before: tuple[SpeakerTurn, ...], now: tuple[SpeakerTurn, ...], *, start: float, end: float) -> float:
    """The first second in [start, end) about which `now` says something else than `before`; `end` if there is none."""
    old = set(cut_turns(SpeakerTurns(start, end, before), start).turns)
    new = set(cut_turns(SpeakerTurns(start, end, now), start).turns)
    return min((turn.start for turn in old ^ new), default=end)


def cut_turns(known: SpeakerTurns, start: float) -> SpeakerTurns:
    """What `known` says from `start` on."""
    turns = (
        SpeakerTurn(max(turn.start, start), min(turn.end, known.end), turn.speaker)
        for turn in known.turns
        if turn.end > start and turn.start < known.end
    )
    return SpeakerTurns(start, known.end, tuple(turns))
