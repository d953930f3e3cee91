from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from inference.models.loading import ModelCorrupt
from inference.speech.ctranslate2_file import read_ctranslate2


def name(text: str) -> bytes:
    return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"


def content(*, version: int = 6) -> bytes:
    values = np.arange(6, dtype=np.float16).reshape(2, 3)
    variable = name("a") + struct.pack("<BIIBI", 2, 2, 3, 4, values.nbytes) + values.tobytes()
    head = struct.pack("<I", version) + name("WhisperSpec") + struct.pack("<II", 3, 1)
    return head + variable + struct.pack("<I", 1) + name("b") + name("a")


def test_variables_and_their_other_names_are_read(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(content())
    file = read_ctranslate2(tmp_path / "model.bin")
    assert file.specification == "WhisperSpec"
    assert file.variables["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert file.variables["b"] is file.variables["a"]


@pytest.mark.parametrize("length", range(len(content())))
def test_a_cut_file_is_refused_wherever_it_ends(tmp_path: Path, length: int) -> None:
    (tmp_path / "model.bin").write_bytes(content()[:length])
    with pytest.raises(ModelCorrupt, match="no whole CTranslate2 model"):
        read_ctranslate2(tmp_path / "model.bin")


def test_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(content(version=7))
    with pytest.raises(ModelCorrupt, match="binary version 6"):
        read_ctranslate2(tmp_path / "model.bin")
