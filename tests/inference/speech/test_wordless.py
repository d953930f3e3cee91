"""Sounds without words give none, whatever language they might be taken for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inference.audio import SAMPLE_RATE, decode_file
from inference.speech.engine import Engine
from inference.speech.recording import caption_recording
from inference.speech.second_pass import SecondPass, decode
from inference.speech.session import CaptionSession, SessionConfig
from inference.speech.whisper import CTranslate2Transcriber
from inference.types import FinalCaption

SOUNDS = ("choir", "crowd", "hiss", "piano", "restaurant")
FIVE_MINUTES = 300 * SAMPLE_RATE


@pytest.fixture(scope="module")
def transcriber(whisper_base: Path) -> CTranslate2Transcriber:
    return CTranslate2Transcriber(whisper_base)


def words(samples: np.ndarray, transcriber: CTranslate2Transcriber) -> list[str]:
    events = caption_recording([samples], CaptionSession(SessionConfig(None)), Engine(transcriber))
    return [event.text for event in events if isinstance(event, FinalCaption)]


def sounds(speech: Path, name: str) -> np.ndarray:
    return np.concatenate(list(decode_file(speech / "wordless" / f"{name}.flac")))


def test_a_moment_of_each_gives_no_words(speech: Path, transcriber: CTranslate2Transcriber) -> None:
    assert words(np.concatenate([sounds(speech, name) for name in SOUNDS]), transcriber) == []


def test_nor_does_a_second_pass(speech: Path, transcriber: CTranslate2Transcriber) -> None:
    second_pass = SecondPass(SessionConfig("en"))
    second_pass.feed(np.concatenate([np.zeros(20 * SAMPLE_RATE, np.float32), sounds(speech, "hiss")]))
    second_pass.flush()
    while second_pass.requests():
        decode(second_pass, transcriber, at_once=2)
    assert [piece.words for piece in second_pass.pieces() if piece.words] == []


@pytest.mark.long
@pytest.mark.parametrize("name", SOUNDS)
def test_five_minutes_give_no_words(speech: Path, transcriber: CTranslate2Transcriber, name: str) -> None:
    """Again and again, each time a little louder or softer."""
    clip, random = sounds(speech, name), np.random.default_rng(0)
    times = FIVE_MINUTES // len(clip) + 1
    samples = np.concatenate([clip * np.float32(random.uniform(0.3, 1.0)) for _ in range(times)])[:FIVE_MINUTES]
    assert words(samples, transcriber) == []
