"""Real models of voices, and short meetings of real voices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inference.audio import SAMPLE_RATE, decode_file
from inference.diarization.local_speakers import VoiceListener, load_listener
from inference.models.catalog import find_model
from inference.models.fetching import ensure_model
from tests.inference.diarization.meetings import Meeting, join, read_turns

PAUSE = round(0.4 * SAMPLE_RATE)


@pytest.fixture(scope="session")
def voice_models(models: Path) -> Path:
    """The folder of the real segmentation and voice print models, fetched once."""
    return ensure_model(find_model("segmentation-campplus"), models)


@pytest.fixture(scope="session")
def listener(voice_models: Path) -> VoiceListener:
    """The real listener, on one thread: tests run side by side, and waiting threads take each other's cores."""
    import torch

    torch.set_num_threads(1)
    return load_listener(voice_models)


@pytest.fixture(scope="session")
def four_voices(speech: Path) -> Meeting:
    """Four readers, each twice."""
    return _read(speech / "voices" / "four_voices.flac")


@pytest.fixture(scope="session")
def two_voices(four_voices: Meeting) -> Meeting:
    """Two of the four, in turn, each twice."""
    kept = [turn for turn in four_voices.turns if turn.speaker in ("1040", "1069")]
    return four_voices.only(kept, pause=PAUSE)


@pytest.fixture(scope="session")
def eight_voices(speech: Path, four_voices: Meeting) -> Meeting:
    """Eight readers: each once, and then each again."""
    more = _read(speech / "voices" / "four_more_voices.flac")
    rounds = [(four_voices, slice(0, 4)), (more, slice(0, 4)), (four_voices, slice(4, 8)), (more, slice(4, 8))]
    return join([meeting.only(meeting.turns[turns], pause=PAUSE) for meeting, turns in rounds])


def _read(path: Path) -> Meeting:
    return Meeting(np.concatenate(list(decode_file(path))), read_turns(path.with_suffix(".rttm")))
