from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.audio import SAMPLE_RATE
from inference.diarization.turns import SpeakerTurn
from inference.speech.engine import Engine
from inference.speech.session import SessionConfig
from inference.types import FinalCaption, Word
from meetings.batch.transcription import (
    Models,
    TranscriptionOptions,
    channel_cues,
    spoken_cues,
    transcribe_recording,
    without_crosstalk,
)
from meetings.export.cues import CueSpeaker
from tests.inference.doubles import ScriptedTranscriber


def said(start: float, text: str) -> FinalCaption:
    """Half a second a word."""
    words = tuple(
        Word(start + 0.5 * place, start + 0.5 * (place + 1), word, 0.9) for place, word in enumerate(text.split())
    )
    return FinalCaption(f"{start:012}", start, words[-1].end, text, "en", words)


FINALS = [said(1.0, "Are you there? Yes, I am."), said(6.0, "Good.")]
TURNS = [SpeakerTurn(0.9, 2.5, "S1"), SpeakerTurn(2.5, 4.0, "S2"), SpeakerTurn(5.8, 6.6, None)]


def test_a_caption_is_divided_where_the_speaker_changes() -> None:
    cues = spoken_cues(FINALS, TURNS)
    assert [(cue.seq, cue.start, cue.end, cue.text, cue.speaker) for cue in cues] == [
        (1, 1.0, 2.5, "Are you there?", CueSpeaker("S1")),
        (2, 2.5, 4.0, "Yes, I am.", CueSpeaker("S2")),
        (3, 6.0, 6.5, "Good.", CueSpeaker(None)),
    ]


def test_without_turns_nobody_is_told_apart() -> None:
    cues = spoken_cues(FINALS, None)
    assert [(cue.seq, cue.text, cue.speaker) for cue in cues] == [
        (1, "Are you there? Yes, I am.", None),
        (2, "Good.", None),
    ]


edges = st.integers(0, 40).map(lambda tenths: tenths / 4)
turns = st.lists(st.builds(SpeakerTurn, edges, edges, st.sampled_from(("S1", "S2", None))), max_size=8)


@given(turns)
def test_no_word_is_lost_whoever_speaks(turns: list[SpeakerTurn]) -> None:
    cues = spoken_cues(FINALS, turns)
    assert [word for cue in cues for word in cue.words] == [word for final in FINALS for word in final.words]
    assert " ".join(cue.text for cue in cues) == " ".join(final.text for final in FINALS)
    assert [cue.seq for cue in cues] == list(range(1, len(cues) + 1))


def loudness(channel: int, start: float, end: float) -> float:
    """The first channel hears the second at a fifth, after 5 s the other way round."""
    return 1.0 if (channel == 0) == (start < 5) else 0.2


def test_channels_are_speakers_in_the_order_of_time() -> None:
    finals = [(0, said(1.0, "Are you there?")), (0, said(6.0, "Good.")), (1, said(2.0, "Yes, I am."))]
    assert [(cue.seq, cue.start, cue.text, cue.speaker) for cue in channel_cues(finals)] == [
        (1, 1.0, "Are you there?", CueSpeaker("S1")),
        (2, 2.0, "Yes, I am.", CueSpeaker("S2")),
        (3, 6.0, "Good.", CueSpeaker("S1")),
    ]


def test_what_another_channel_holds_louder_is_said_once() -> None:
    finals = [
        (0, said(1.0, "Are you there, my friend?")),
        (1, said(1.2, "are you there")),
        (1, said(1.5, "Hold on, I am coming.")),
        (0, said(6.0, "Good evening.")),
        (1, said(6.1, "Good evening!")),
    ]
    assert without_crosstalk(finals, loudness) == [finals[0], finals[2], finals[4]]


def test_two_who_say_the_same_at_once_are_both_heard() -> None:
    finals = [(0, said(1.0, "Good morning.")), (1, said(1.1, "Good morning."))]
    assert without_crosstalk(finals, lambda channel, start, end: 1.0) == finals


@pytest.fixture(scope="module")
def nothing() -> np.ndarray:
    return np.zeros(3 * SAMPLE_RATE, np.float32)


def test_only_what_is_asked_for_runs(nothing: np.ndarray) -> None:
    alone = transcribe_recording(
        [nothing], Models(Engine(ScriptedTranscriber())), TranscriptionOptions(SessionConfig("en"), ("pt",))
    )
    assert set(alone.stages) == {"audio", "asr"}
    assert (alone.cues, alone.language, alone.audio_s) == ([], "en", 3.0)
