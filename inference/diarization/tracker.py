"""Diarization of one meeting: samples in, window requests out, voices in, turns out.

No I/O, clocks or models, like `speech.session`: the caller feeds audio, has the windows processed, and passes back the
voices. As long as it keeps up, turns are a pure function of the audio since `start`, however that was split into `feed`
calls. Text never waits for them.
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
from inference.diarization.segmentation import SEGMENTATION_WINDOW
from inference.diarization.turns import CELL_S, SpeakerTurn, SpeakerTurns, turns_of

LIVE_STEP = 5 * SAMPLE_RATE // 2
"""Samples between windows: 2.5 s. A step of one second costs more than twice as much and is no more accurate."""

LATENCY_S = 0.74
"""Labels end this many seconds before a window's end: a moment is labelled after 0.74 to 3.24 s, 2 s on average."""

LATENCY_CELLS = round(LATENCY_S / CELL_S)

BEHIND = 10 * SAMPLE_RATE
"""Above this backlog in samples, windows do not overlap, which takes a quarter of the work, until few are waiting."""

BACKLOG = 60 * SAMPLE_RATE
"""Maximum backlog in samples; older audio is skipped."""

MAX_HISTORY = 12 * 3600 * SAMPLE_RATE // LIVE_STEP
"""Windows kept for the end of the meeting: twelve hours. Older turns keep their labels."""


@dataclass(frozen=True, slots=True, eq=False)
class WindowRequest:
    """Audio to process."""

    end: int
    """End of the window in samples since the meeting's first."""
    audio: np.ndarray
    """float32, shape (WINDOW,), padded with silence before the meeting and beyond the audio so far."""


class SpeakerTracker:
    """One meeting's speakers. Not thread-safe, except `hint`, which any thread may set.

    Memory is bounded: at most a minute of audio, one centroid per speaker, and compact copies of the voices
    (`VoiceHistory`). All of it is biometric or audio, so none is stored. After a crash a new tracker starts where the
    audio log still reaches, with numbers from `first_number`, so that no id is reused for another person.
    """

    def __init__(
        self, hint: SpeakerHint | None = None, *, start: int = 0, first_number: int = 0, behind: int = BEHIND
    ) -> None:
        """`start` is the position of the first sample to be fed, a multiple of CELL. Numbers below `first_number` are
        taken. `behind` defaults to BEHIND; use BACKLOG for audio that waits until it is processed. Raises ValueError
        for a `start` off the grid.
        """
        if start % CELL:
            raise ValueError(f"a tracker starts at a multiple of {CELL} samples, not at {start}")
        self.hint = hint or SpeakerHint()
        """The expected number of speakers; a new value applies from the next window."""
        self._gallery = SpeakerRegistry(first=first_number)
        self._history = VoiceHistory(MAX_HISTORY)
        self._buffer = AudioBuffer(start)
        self._start = start
        self._behind = behind
        self._heard = start
        self._requested: int | None = None
        self._windows: deque[HeardWindow] = deque(maxlen=SEGMENTATION_WINDOW // LIVE_STEP)
        self._labelled = start // CELL
        self._known = SpeakerTurns(_seconds(self._labelled), _seconds(self._labelled), ())

    @property
    def received(self) -> int:
        """Position after the last sample fed, counted from the meeting's first."""
        return self._buffer.end

    @property
    def waiting_s(self) -> float:
        """Seconds of audio that no window has reached yet; above 10 the tracker skips."""
        return max(0, self._buffer.end - self._heard) / SAMPLE_RATE

    @property
    def labelled_s(self) -> float:
        """Seconds since the meeting's first sample up to which turns are labelled."""
        return _seconds(self._labelled)

    @property
    def speakers(self) -> int:
        """Number of known speakers."""
        return len(self._gallery)

    @property
    def next_number(self) -> int:
        """The first unused number: `first_number` for a tracker that continues this one."""
        return self._gallery.next_number

    def feed(self, samples: np.ndarray) -> None:
        """Append float32 mono samples at SAMPLE_RATE, shape (n,), at `received`."""
        self._buffer.append(samples)
        oldest = _on_grid(self._buffer.end - BACKLOG)
        self._heard = max(self._heard, oldest)
        self._buffer.drop_before(self._heard + LIVE_STEP - SEGMENTATION_WINDOW)

    def request(self, *, is_end: bool = False) -> WindowRequest | None:
        """Return the next window to process, one at a time and in order; None if there is too little new audio.

        With `is_end`, nothing follows for now, so windows are requested until all samples are labelled.
        """
        end = self._heard + (SEGMENTATION_WINDOW if self._buffer.end - self._heard > self._behind else LIVE_STEP)
        if end > self._buffer.end and (not is_end or self._labelled >= self._buffer.end // CELL):
            return None
        self._requested = end
        first, last = max(self._buffer.start, end - SEGMENTATION_WINDOW), min(end, self._buffer.end)
        audio = np.zeros(SEGMENTATION_WINDOW, np.float32)
        audio[first - (end - SEGMENTATION_WINDOW) : last - (end - SEGMENTATION_WINDOW)] = self._buffer.slice(
            first, last
        )
        return WindowRequest(end, audio)

    def accept(
        self, request: WindowRequest, voices: tuple[LocalVoice, ...], *, is_end: bool = False
    ) -> SpeakerTurns | None:
        """Return new turns and earlier ones that changed, given the voices of `request`; None if nothing changed.

        With `is_end`, label up to the last sample, not only up to LATENCY_S before it. Raises ValueError for a window
        that was not the last one requested.
        """
        if request.end != self._requested:
            raise ValueError(f"the window that ends at {self._requested} was asked for, not {request.end}")
        self._heard, self._requested = max(self._heard, request.end), None
        self._buffer.drop_before(self._heard + LIVE_STEP - SEGMENTATION_WINDOW)
        self._gallery.maximum = self.hint.maximum
        window = HeardWindow(request.end // CELL - WINDOW_CELLS, voices, tuple(self._gallery.recognise(voices)))
        self._windows.append(window)
        self._history.append(window)
        return self._label(self._reached() if is_end else request.end // CELL - LATENCY_CELLS)

    def turns(self) -> SpeakerTurns:
        """Return the turns of the last seconds, as far as later windows may still change them."""
        return self._known

    def conclude(self, hint: SpeakerHint | None = None) -> SpeakerTurns:
        """Recompute all turns after the meeting has ended, clustering the voices of all windows jointly.

        Speakers keep their ids through `keep_ids`. `hint` replaces the tracker's own. All voices are discarded
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
        """Discard all voices and audio. Later speakers count as unknown and are numbered after the last one."""
        self._gallery = SpeakerRegistry(first=self._gallery.next_number)
        self._history.clear()
        self._windows.clear()
        self._buffer = AudioBuffer(self._buffer.end)
        self._start = self._heard = _on_grid(self._buffer.end)
        self._labelled = max(self._labelled, self._start // CELL)
        self._known = SpeakerTurns(self.labelled_s, self.labelled_s, ())

    def _reached(self) -> int:
        """Return the cell up to which audio was processed."""
        return min(self._heard, self._buffer.end) // CELL

    def _label(self, end: int) -> SpeakerTurns | None:
        """Relabel the period of all current windows, up to the cell `end`."""
        end = max(end, self._labelled)  # after a pause, labels up to the last sample stay
        if end == self._start // CELL:
            return None
        # After a skip the newest window begins later than the first unlabelled cell.
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
    """Return the first second up to `end` at which `now` differs from `before`; `end` if there is none."""
    old = set(cut_turns(SpeakerTurns(now.start, end, before.turns), now.start).turns)
    new = set(cut_turns(SpeakerTurns(now.start, end, now.turns), now.start).turns)
    return min((turn.start for turn in old ^ new), default=end)


def cut_turns(known: SpeakerTurns, start: float) -> SpeakerTurns:
    """Return the part of `known` from `start` on."""
    turns = (
        SpeakerTurn(max(turn.start, start), min(turn.end, known.end), turn.speaker)
        for turn in known.turns
        if turn.end > start and turn.start < known.end
    )
    return SpeakerTurns(start, known.end, tuple(turns))
