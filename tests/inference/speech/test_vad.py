from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inference.audio import decode_file
from inference.speech.vad import VAD_WINDOW, DetectorState, shared_detector


def judge(samples: np.ndarray, state: DetectorState) -> tuple[list[float], DetectorState]:
    probabilities = []
    for start in range(0, len(samples) - VAD_WINDOW + 1, VAD_WINDOW):
        probability, state = shared_detector().judge(samples[start : start + VAD_WINDOW], state)
        probabilities.append(probability)
    return probabilities, state


@pytest.fixture(scope="module")
def reading(speech: Path) -> np.ndarray:
    return np.concatenate(list(decode_file(speech / "lobster_24s.flac")))[: 300 * VAD_WINDOW]


def test_speech_is_told_from_silence_and_from_noise(reading: np.ndarray) -> None:
    noise = np.random.default_rng(0).normal(0, 0.003, 300 * VAD_WINDOW).astype(np.float32)
    assert max(judge(np.zeros_like(noise), DetectorState.initial())[0]) < 0.1
    assert max(judge(noise, DetectorState.initial())[0]) < 0.5
    spoken, _ = judge(reading, DetectorState.initial())
    assert sum(probability > 0.5 for probability in spoken) > 100


def test_a_stored_state_goes_on_bit_for_bit(reading: np.ndarray) -> None:
    whole, _ = judge(reading, DetectorState.initial())
    first, state = judge(reading[: 117 * VAD_WINDOW], DetectorState.initial())
    second, _ = judge(reading[117 * VAD_WINDOW :], DetectorState.loads(state.dumps()))
    assert first + second == whole


def test_state_survives_as_text_exactly(reading: np.ndarray) -> None:
    _, state = judge(reading, DetectorState.initial())
    again = DetectorState.loads(state.dumps())
    for name in ("hidden", "cell", "context"):
        assert getattr(again, name).tolist() == getattr(state, name).tolist()


@pytest.mark.parametrize("text", ["", "AAAA", "not base64!"])
def test_other_text_is_no_state(text: str) -> None:
    with pytest.raises(ValueError, match=r"detector state|base64|padding|multiple|alphabet|Only"):
        DetectorState.loads(text)
