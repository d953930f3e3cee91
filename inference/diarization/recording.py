"""Who spoke when in a whole recording: windows as in a running meeting, but clustered together."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from inference.audio import AudioBuffer
from inference.diarization.clustering import SpeakerHint, cluster_windows
from inference.diarization.segmentation import WINDOW
from inference.diarization.timeline import HeardWindow, vote
from inference.diarization.turns import SpeakerTurn, turns_of
from inference.diarization.voices import CELL, STEP, STEP_CELLS, WINDOW_CELLS, Listener, LocalVoice

Advance = Callable[[int], object]
"""Told how many samples have been listened to."""


def diarize_recording(
    blocks: Iterable[np.ndarray],
    listener: Listener,
    hint: SpeakerHint | None = None,
    *,
    advance: Advance = lambda _: None,
) -> tuple[SpeakerTurn, ...]:
    """The turns of the recording that `blocks` make up: float32 mono at SAMPLE_RATE, shape (n,) each.

    Ten seconds of sound are held at a time, besides the voices: about 50 kB a minute for each speaker.
    """
    buffer = AudioBuffer(0)
    heard: list[tuple[LocalVoice, ...]] = []
    for block in blocks:
        buffer.append(block)
        while (len(heard) + 1) * STEP <= buffer.end:
            heard.append(_listen(buffer, len(heard), listener))
            advance(STEP)
            buffer.drop_before((len(heard) + 1) * STEP - WINDOW)
    if len(heard) * STEP < buffer.end:
        advance(buffer.end - len(heard) * STEP)
        heard.append(_listen(buffer, len(heard), listener))
    return place_turns(heard, buffer.end, hint or SpeakerHint())


def place_turns(heard: list[tuple[LocalVoice, ...]], samples: int, hint: SpeakerHint) -> tuple[SpeakerTurn, ...]:
    """The turns of a recording of `samples`, whose windows, one a step, held the voices `heard`."""
    numbers = cluster_windows(heard, hint)
    windows = [
        HeardWindow((index + 1) * STEP_CELLS - WINDOW_CELLS, voices, tuple(known))
        for index, (voices, known) in enumerate(zip(heard, numbers, strict=True))
    ]
    return turns_of(*vote(windows, 0, samples // CELL), start=0)


def _listen(buffer: AudioBuffer, index: int, listener: Listener) -> tuple[LocalVoice, ...]:
    """Hears the window that ends a step after `index` steps; silence stands for what lies outside of the recording."""
    end = (index + 1) * STEP
    start = end - WINDOW
    first, last = max(0, start), min(end, buffer.end)
    audio = np.zeros(WINDOW, np.float32)
    audio[first - start : last - start] = buffer.slice(first, last)
    return listener.listen(audio)
