from __future__ import annotations

import tracemalloc

import numpy as np

from inference.diarization.aggregation import HeardWindow
from inference.diarization.history import VoiceHistory
from inference.diarization.local_speakers import WINDOW_CELLS, LocalVoice
from inference.diarization.turns import NO_SPEAKER
from tests.inference.diarization.doubles import voice

RNG = np.random.default_rng(7)


def window(start: int, *, voices: int = 2) -> HeardWindow:
    """Voices as wide as real ones."""
    made = tuple(
        LocalVoice(RNG.random(WINDOW_CELLS) < 0.5, RNG.normal(0, 0.07, 192).astype(np.float32), 2.5)
        for _ in range(voices)
    )
    return HeardWindow(start, made, tuple(range(voices)))


def test_what_comes_back_is_what_was_heard() -> None:
    history, heard = VoiceHistory(10), window(-375)
    brief = LocalVoice(voice(1).active, None, 0.1)
    history.append(heard)
    history.append(HeardWindow(-250, (brief,), (NO_SPEAKER,)))
    first, second = history
    assert (first.start, first.numbers, second.start, second.numbers) == (-375, (0, 1), -250, (NO_SPEAKER,))
    for one, other in zip((*first.voices, *second.voices), (*heard.voices, brief), strict=True):
        assert np.array_equal(one.active, other.active)
        assert one.clean_s == other.clean_s
    for one, other in zip(first.voices, heard.voices, strict=True):
        assert one.print is not None
        assert np.abs(one.print - other.print).max() < 1e-3
    assert second.voices[0].print is None


def test_only_the_newest_are_kept_and_none_when_cleared() -> None:
    history = VoiceHistory(2)
    for start in (0, 125, 250):
        history.append(HeardWindow(start, (), ()))
    assert [kept.start for kept in history] == [125, 250]
    history.clear()
    assert list(history) == []
    assert len(history) == 0


def test_an_hour_of_two_voices_at_once_takes_less_than_three_megabytes() -> None:
    history = VoiceHistory(2000)
    tracemalloc.start()
    try:
        for index in range(1440):
            history.append(window(index * 125))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 3_000_000
