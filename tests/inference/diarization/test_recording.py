from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from inference.audio import SAMPLE_RATE
from inference.diarization.aggregation import HeardWindow
from inference.diarization.clustering import SpeakerHint
from inference.diarization.local_speakers import CELL, WINDOW_CELLS, Listener, LocalVoice
from inference.diarization.recording import RECORDING_STEP, diarize_recording, place_turns
from inference.diarization.turns import NO_SPEAKER, SpeakerTurn
from tests.inference.diarization.doubles import ScriptedListener, clock
from tests.inference.diarization.meetings import Meeting, confusion

SCRIPT = (SpeakerTurn(1.0, 6.0, "S1"), SpeakerTurn(7.5, 12.0, "S2"), SpeakerTurn(15.0, 21.0, "S1"))


def test_the_script_comes_out_whatever_the_blocks() -> None:
    samples = clock(23.3)
    for blocks in (1, 7, 60):
        assert diarize_recording(np.array_split(samples, blocks), ScriptedListener(SCRIPT)) == SCRIPT


def test_all_samples_are_listened_to_once() -> None:
    heard: list[int] = []
    diarize_recording([clock(5.25)], ScriptedListener(SCRIPT), advance=heard.append)
    assert heard == [RECORDING_STEP, round(5.25 * SAMPLE_RATE) - RECORDING_STEP]


def test_a_recording_of_nobody_has_no_turns() -> None:
    windows = [HeardWindow(start, (), ()) for start in (-250, 0)]
    assert place_turns(windows, SpeakerHint(), start=0, end=500) == ()


@pytest.fixture(scope="module")
def four_heard(four_voices: Meeting, listener: Listener) -> Sequence[HeardWindow]:
    """What the real models hear, so that the whole recording is listened to once."""
    starts, heard = itertools.count(RECORDING_STEP // CELL - WINDOW_CELLS, RECORDING_STEP // CELL), []

    class Recorder:
        def listen(self, audio: np.ndarray) -> tuple[LocalVoice, ...]:
            voices = listener.listen(audio)
            heard.append(HeardWindow(next(starts), voices, (NO_SPEAKER,) * len(voices)))
            return voices

    diarize_recording([four_voices.samples], Recorder())
    return heard


@pytest.mark.xdist_group("voices")
def test_four_real_voices_are_told_apart(four_voices: Meeting, four_heard: Sequence[HeardWindow]) -> None:
    turns = place_turns(four_heard, SpeakerHint(), start=0, end=len(four_voices.samples) // CELL)
    assert {turn.speaker for turn in turns} == {"S1", "S2", "S3", "S4"}
    assert confusion(four_voices.turns, turns) <= 0.10


@pytest.mark.xdist_group("voices")
def test_an_exact_hint_is_kept(four_voices: Meeting, four_heard: Sequence[HeardWindow]) -> None:
    turns = place_turns(four_heard, SpeakerHint(2, 2), start=0, end=len(four_voices.samples) // CELL)
    assert {turn.speaker for turn in turns} == {"S1", "S2"}
