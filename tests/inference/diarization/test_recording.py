from __future__ import annotations

import numpy as np
import pytest

from inference.audio import SAMPLE_RATE
from inference.diarization.clustering import SpeakerHint
from inference.diarization.recording import diarize_recording, place_turns
from inference.diarization.tracker import SpeakerTracker
from inference.diarization.turns import SpeakerTurn
from inference.diarization.voices import Listener, LocalVoice
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
    assert heard == [SAMPLE_RATE] * 5 + [SAMPLE_RATE // 4]


def test_a_recording_of_nobody_has_no_turns() -> None:
    assert place_turns([(), ()], 2 * SAMPLE_RATE, SpeakerHint()) == ()


@pytest.fixture(scope="module")
def four_heard(four_voices: Meeting, listener: Listener) -> list[tuple[LocalVoice, ...]]:
    """What the real models hear, so that the whole recording is listened to once."""
    heard = []

    class Recorder:
        def listen(self, audio: np.ndarray) -> tuple[LocalVoice, ...]:
            heard.append(listener.listen(audio))
            return heard[-1]

    diarize_recording([four_voices.samples], Recorder())
    return heard


@pytest.mark.xdist_group("voices")
def test_four_real_voices_are_told_apart(four_voices: Meeting, four_heard: list[tuple[LocalVoice, ...]]) -> None:
    turns = place_turns(four_heard, len(four_voices.samples), SpeakerHint())
    assert {turn.speaker for turn in turns} == {"S1", "S2", "S3", "S4"}
    assert confusion(four_voices.turns, turns) <= 0.10


@pytest.mark.xdist_group("voices")
def test_four_real_voices_are_told_apart_live(four_voices: Meeting, four_heard: list[tuple[LocalVoice, ...]]) -> None:
    tracker, first = SpeakerTracker(), []
    tracker.feed(four_voices.samples)
    for voices in four_heard:
        is_end = voices is four_heard[-1]
        request, before = tracker.request(is_end=is_end), tracker.labelled_s
        assert request is not None
        told = tracker.accept(request, voices, is_end=is_end)
        first += [turn for turn in told.turns if turn.end > before] if told else []
    assert tracker.speakers == 4
    assert confusion(four_voices.turns, first) <= 0.10


@pytest.mark.xdist_group("voices")
def test_an_exact_hint_is_kept(four_voices: Meeting, four_heard: list[tuple[LocalVoice, ...]]) -> None:
    turns = place_turns(four_heard, len(four_voices.samples), SpeakerHint(2, 2))
    assert {turn.speaker for turn in turns} == {"S1", "S2"}
