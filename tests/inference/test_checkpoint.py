from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.checkpoint import Checkpoint, CheckpointError
from inference.endpointing import Boundary

positions = st.integers(0, 10**12)
boundaries = st.builds(Boundary, window=positions, floor=positions, carried=st.lists(st.floats(0, 1)).map(tuple))


@given(st.builds(Checkpoint, boundary=boundaries, detector=st.text(), language=st.none() | st.text()))
def test_text_form_is_exact(checkpoint: Checkpoint) -> None:
    assert Checkpoint.loads(checkpoint.dumps()) == checkpoint


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"window": 1, "floor": 2}', "nonsense"])
def test_other_text_is_no_checkpoint(text: str) -> None:
    with pytest.raises(CheckpointError):
        Checkpoint.loads(text)
