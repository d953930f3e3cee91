"""Diarize a complete recording: windows as in a meeting, but fewer, clustered jointly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from inference.audio import SAMPLE_RATE, AudioBuffer
from inference.diarization.aggregation import HeardWindow, vote
from inference.diarization.clustering import SpeakerHint, cluster_windows
from inference.diarization.history import VoiceHistory
from inference.diarization.local_speakers import CELL, WINDOW_CELLS, Listener
from inference.diarization.segmentation import SEGMENTATION_WINDOW
from inference.diarization.turns import NO_SPEAKER, SpeakerTurn, turns_of

RECORDING_STEP = 3 * SAMPLE_RATE
"""Samples between windows. Three windows cover each moment, so a wrong one is outvoted."""

MAX_WINDOWS = 24 * 3600 * SAMPLE_RATE // RECORDING_STEP
"""Windows of a day, the longest recording."""

WindowsHeard = Callable[[int], object]
"""Progress callback; receives the number of samples just processed."""


def diarize_recording(
    blocks: Iterable[np.ndarray],
    listener: Listener,
    hint: SpeakerHint | None = None,
    *,
    advance: WindowsHeard = lambda _: None,
) -> tuple[SpeakerTurn, ...]:
    """Return the turns of the recording in `blocks`: float32 mono at SAMPLE_RATE, shape (n,) each.

    Holds a few seconds of audio at a time, plus the voices.
    """
    buffer, history = AudioBuffer(0), VoiceHistory(MAX_WINDOWS)
    heard = 0
    for block in blocks:
        buffer.append(block)
        while heard + RECORDING_STEP <= buffer.end:
            heard += RECORDING_STEP
            history.append(_listen(buffer, heard, listener))
            advance(RECORDING_STEP)
            buffer.drop_before(heard + RECORDING_STEP - SEGMENTATION_WINDOW)
    if heard < buffer.end:
        advance(buffer.end - heard)
        history.append(_listen(buffer, heard + RECORDING_STEP, listener))
    return place_turns(list(history), hint or SpeakerHint(), start=0, end=buffer.end // CELL)


def place_turns(windows: Sequence[HeardWindow], hint: SpeakerHint, *, start: int, end: int) -> tuple[SpeakerTurn, ...]:
    """Return the turns in the cells [start, end) from `windows`, clustering all voices jointly.

    Speakers are numbered from S1 in order of appearance; earlier recognition in the windows is ignored.
    """
    numbers = cluster_windows([window.voices for window in windows], hint)
    placed = [
        HeardWindow(window.start, window.voices, tuple(known)) for window, known in zip(windows, numbers, strict=True)
    ]
    return turns_of(*vote(placed, start, end), start=start)


def _listen(buffer: AudioBuffer, end: int, listener: Listener) -> HeardWindow:
    """Return the window up to the sample `end`, without recognized speakers. Silence pads it outside the recording."""
    start = end - SEGMENTATION_WINDOW
    first, last = max(0, start), min(end, buffer.end)
    audio = np.zeros(SEGMENTATION_WINDOW, np.float32)
    audio[first - start : last - start] = buffer.slice(first, last)
    voices = listener.listen(audio)
    return HeardWindow(end // CELL - WINDOW_CELLS, voices, (NO_SPEAKER,) * len(voices))
