from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.speech.endpointing import Boundary
from inference.speech.resume_state import CHECKPOINT_VERSION, Checkpoint, CheckpointError
from inference.speech.session import CaptionSession, SessionConfig
from inference.speech.vad import VAD_WINDOW

positions = st.integers(0, 10**12)
boundaries = st.builds(Boundary, window=positions, floor=positions, carried=st.lists(st.floats(0, 1)).map(tuple))

heard = st.dictionaries(st.sampled_from(("en", "pt", "yue")), st.integers(1, 10**6).map(lambda parts: parts / 10**6))


@given(st.builds(Checkpoint, boundary=boundaries, detector=st.text(), language=st.none() | st.text(), heard=heard))
def test_text_form_is_exact(checkpoint: Checkpoint) -> None:
    assert Checkpoint.loads(checkpoint.dumps()) == checkpoint


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"window": 1, "floor": 2}', "nonsense"])
def test_other_text_is_no_checkpoint(text: str) -> None:
    with pytest.raises(CheckpointError):
        Checkpoint.loads(text)


def test_a_field_of_a_later_version_is_left_out() -> None:
    checkpoint = Checkpoint(Boundary(3, 1_600, (0.5, 0.75)), "state", "pt")
    stored = json.loads(checkpoint.dumps())
    later = {**stored, "mood": "good", "boundary": {**stored["boundary"], "noise": 0.1}}
    assert Checkpoint.loads(json.dumps(later)) == checkpoint


def test_a_checkpoint_of_a_later_version_is_none_of_this_one() -> None:
    stored = json.loads(Checkpoint.at(0).dumps())
    with pytest.raises(CheckpointError):
        Checkpoint.loads(json.dumps({**stored, "version": CHECKPOINT_VERSION + 1}))


@given(st.integers(0, 10**9))
def test_a_session_goes_on_where_it_is_told_to(position: int) -> None:
    session = CaptionSession(SessionConfig("en"), Checkpoint.at(position).dumps())
    assert session.audio_from == position
    assert 0 <= session.position - position < VAD_WINDOW


def test_a_detector_of_another_kind_is_told() -> None:
    with pytest.raises(CheckpointError):
        CaptionSession(SessionConfig("en"), Checkpoint(Boundary(), "another").dumps())
