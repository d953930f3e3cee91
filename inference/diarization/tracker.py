"""One meeting's speakers: samples in, windows to listen to out, voices in, turns out.

Without I/O, clocks or models, as `speech.session` is: whoever runs it feeds audio, has the windows listened to
whenever there is time, and hands the voices back. As long as it keeps up, turns are a pure function of the audio since
`start`, however that was cut into `feed` calls. Text never waits for them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from inference.audio import SAMPLE_RATE, AudioBuffer
from inference.diarization.aggregation import HeardWindow, vote
from inference.diarization.clustering import SpeakerHint, SpeakerRegistry
from inference.diarization.history import VoiceHistory
from inference.diarization.id_mapping import keep_ids
from inference.diarization.local_speakers import CELL, WINDOW_CELLS, LocalVoice
from inference.diarization.recording import place_turns
from inference.diarization.segmentation import WINDOW
from inference.diarization.turns import CELL_S, SpeakerTurn, SpeakerTurns, turns_of

STEP = 5 * SAMPLE_RATE // 2
"""Samples from one window to the next: 2.5 s. Every second costs more than twice as much and errs no less."""

LATENCY_S = 0.74
"""Seconds before a window's end up to which it labels: a moment waits for its label 0.74 to 3.24 s, 2 s on average."""

LATENCY_CELLS = round(LATENCY_S / CELL_S)

BEHIND = 10 * SAMPLE_RATE
"""Samples above which windows follow each other without overlap, at a quarter of the work, until few are waiting."""

BACKLOG = 60 * SAMPLE_RATE
"""Samples that wait at most: older ones are never listened to."""

LONGEST = 12 * 3600 * SAMPLE_RATE // STEP
"""Windows remembered for the end of the meeting: twelve hours. What is older stays labelled as it was."""


@dataclass(frozen=True, slots=True, eq=False)
class WindowRequest:
    """Audio to listen to."""

    end: int
    """Samples since the meeting's first: where the window ends."""
    audio: np.ndarray
    """float32, shape (WINDOW,); silence stands for what lies before the meeting or beyond `end`."""


class SpeakerTracker:
    """See the module. Not for two threads at once, except `hint`, which any thread may set.

    Memory is bounded: a minute of audio at most, one direction for each speaker, and small copies of the voices heard
    (`VoiceHistory`). All of it is biometric or sound, so none of it is stored: after a crash a new tracker starts where
    the audio log still reaches, with numbers from `first_number` on, so that no id is given to a second person.
    """

    def __init__(
        self, hint: SpeakerHint | None = None, *, start: int = 0, first_number: int = 0, behind: int = BEHIND
    ) -> None:
        """`start`: the position of the first sample to be fed, a multiple of CELL; numbers below `first_number` are
        taken. `behind`: as BEHIND; BACKLOG for sound that waits until it is listened to. Raises ValueError for a
        `start` off the grid."""
        if start % CELL:
            raise ValueError(f"a tracker starts at a multiple of {CELL} samples, not at {start}")
        self.hint = hint or SpeakerHint()
        """How many speakers to expect; a new one holds from the next window on."""
        self._gallery = SpeakerRegistry(first=first_number)
        self._history = VoiceHistory(LONGEST)
        self._buffer = AudioBuffer(start)
        self._start = start
        self._behind = behind
        self._heard = start
        self._requested: int | None = None
        self._windows: deque[HeardWindow] = deque(maxlen=WINDOW // STEP)
        self._labelled = start // CELL
        self._known = SpeakerTurns(_seconds(self._labelled), _seconds(self._labelled), ())

    @property
    def received(self) -> int:
        """Samples fed so far, counted from the meeting's first."""
        return self._buffer.end

    @property
    def waiting_s(self) -> float:
        """Seconds of audio that no window has reached yet; above 10 the tracker skips."""
        return max(0, self._buffer.end - self._heard) / SAMPLE_RATE

    @property
    def labelled_s(self) -> float:
        """Seconds since the meeting's first sample up to which it is said who speaks."""
        return _seconds(self._labelled)

    @property
    def speakers(self) -> int:
        """Voices known so far."""
        return len(self._gallery)

    @property
    def next_number(self) -> int:
        """The first number that nobody has: `first_number` for a tracker that goes on after this one."""
        return self._gallery.next_number

    def feed(self, samples: np.ndarray) -> None:
        """Takes float32 mono samples at SAMPLE_RATE, shape (n,), that follow on `received`."""
        self._buffer.append(samples)
        oldest = _on_grid(self._buffer.end - BACKLOG)
        self._heard = max(self._heard, oldest)
        self._buffer.drop_before(self._heard + STEP - WINDOW)

    def request(self, *, is_end: bool = False) -> WindowRequest | None:
        """The next window to listen to, one at a time and in order; None when there is too little new audio.

        `is_end`: nothing follows for now, so as long as samples are not labelled there is a window.
        """
        end = self._heard + (WINDOW if self._buffer.end - self._heard > self._behind else STEP)
        if end > self._buffer.end and (not is_end or self._labelled >= self._buffer.end // CELL):
            return None
        self._requested = end
        first, last = max(self._buffer.start, end - WINDOW), min(end, self._buffer.end)
        audio = np.zeros(WINDOW, np.float32)
        audio[first - (end - WINDOW) : last - (end - WINDOW)] = self._buffer.slice(first, last)
        return WindowRequest(end, audio)

    def accept(
        self, request: WindowRequest, voices: tuple[LocalVoice, ...], *, is_end: bool = False
    ) -> SpeakerTurns | None:
        """What `request` tells about who spoke: new turns, and older ones that changed. None when nothing is new.

        `is_end`: label up to the last sample, not only up to LATENCY_S before it. Raises ValueError for a window that
        was not asked for last.
        """
        if request.end != self._requested:
            raise ValueError(f"the window that ends at {self._requested} was asked for, not {request.end}")
        self._heard, self._requested = max(self._heard, request.end), None
        self._buffer.drop_before(self._heard + STEP - WINDOW)
        self._gallery.maximum = self.hint.maximum
        window = HeardWindow(request.end // CELL - WINDOW_CELLS, voices, tuple(self._gallery.recognise(voices)))
        self._windows.append(window)
        self._history.append(window)
        return self._label(self._reached() if is_end else request.end // CELL - LATENCY_CELLS)

    def turns(self) -> SpeakerTurns:
        """What is known now about the last seconds, as far as later windows may still change it."""
        return self._known

    def conclude(self, hint: SpeakerHint | None = None) -> SpeakerTurns:
        """All turns anew, when the meeting has ended: the voices of all windows clustered together.

        Speakers keep the ids that they had, see `keep_ids`. `hint` replaces the tracker's own. Every voice is forgotten
        afterwards. Eight hours take three seconds of a core and 90 MB.
        """
        windows, next_number = list(self._history), self._gallery.next_number
        start = max(self._start // CELL, windows[0].start if windows else self._labelled)
        end = max(start, self._reached())
        self.forget()
        known = turns_of(*vote(windows, start, end), start=start)
        turns = place_turns(windows, hint or self.hint, start=start, end=end)
        kept = keep_ids(turns, known, next_number=next_number)
        return SpeakerTurns(_seconds(start), _seconds(end), kept)

    def forget(self) -> None:
        """Wipes every voice and all sound. What follows is of strangers: their numbers go on where the last ended."""
        self._gallery = SpeakerRegistry(first=self._gallery.next_number)
        self._history.clear()
        self._windows.clear()
        self._buffer = AudioBuffer(self._buffer.end)
        self._start = self._heard = _on_grid(self._buffer.end)
        self._labelled = max(self._labelled, self._start // CELL)
        self._known = SpeakerTurns(self.labelled_s, self.labelled_s, ())

    def _reached(self) -> int:
        """The cell up to which windows have heard."""
        return min(self._heard, self._buffer.end) // CELL

    def _label(self, end: int) -> SpeakerTurns | None:
        """Decides anew about all that the windows heard, up to the cell `end`."""
        end = max(end, self._labelled)  # after a pause, what was labelled up to its last sample stays so
        if end == self._start // CELL:
            return None
        # After a skip the newest window begins later than what is not labelled yet.
        start = max(self._start // CELL, min(self._windows[-1].start, self._labelled))
        turns = turns_of(*vote(self._windows, start, end), start=start)
        known = SpeakerTurns(_seconds(start), _seconds(end), turns)
        changed = _first_change(self._known, known, end=self.labelled_s)
        self._labelled, self._known = end, known
        return cut_turns(known, changed)


def _on_grid(samples: int) -> int:
    return samples // CELL * CELL


def _seconds(cell: int) -> float:
    return round(cell * CELL_S, 2)


def _first_change(before: SpeakerTurns, now: SpeakerTurns, *, end: float) -> float:
    """The first second up to `end` about which `now` says something else than `before`; `end` if there is none."""
    old = set(cut_turns(SpeakerTurns(now.start, end, before.turns), now.start).turns)
    new = set(cut_turns(SpeakerTurns(now.start, end, now.turns), now.start).turns)
    return min((turn.start for turn in old ^ new), default=end)


def cut_turns(known: SpeakerTurns, start: float) -> SpeakerTurns:
    """What `known` says from `start` on."""
    turns = (
        SpeakerTurn(max(turn.start, start), min(turn.end, known.end), turn.speaker)
        for turn in known.turns
        if turn.end > start and turn.start < known.end
    )
    return SpeakerTurns(start, known.end, tuple(turns))
