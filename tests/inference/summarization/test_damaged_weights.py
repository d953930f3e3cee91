"""Weights of the summariser that are cut off: said by name, so that captions go on without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference.models.loading import ModelCorrupt
from inference.models.residency.transfers import MOVE_ERRORS
from inference.summarization.chat import ChatModel
from tests.inference.summarization.tiny_chat import build


def test_weights_that_are_cut_off_are_said(tmp_path: Path) -> None:
    weights = build(tmp_path) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelCorrupt, match="are damaged"):
        ChatModel(tmp_path)
    assert issubclass(ModelCorrupt, MOVE_ERRORS), "the pool answers it: captions come back"
