"""A GGUF unpacked once: kept in one piece or not at all. What is in it is compared where the real model is loaded."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from inference.summarization import unpacking
from inference.summarization.unpacking import FOLDER, is_unpacked, unpacked


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    return path


def written(transformers: Any, gguf: Path, folder: Path) -> None:
    (folder / "config.json").write_text("{}")


def test_it_is_unpacked_once(gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "_unpack", written)
    assert not is_unpacked(gguf)
    kept = unpacked(SimpleNamespace(), gguf)
    assert kept == gguf.parent / FOLDER
    assert (kept / "config.json").exists()
    monkeypatch.setattr(unpacking, "_unpack", None)
    assert unpacked(SimpleNamespace(), gguf) == kept


def test_what_breaks_off_leaves_nothing(gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(transformers: Any, gguf: Path, folder: Path) -> None:
        written(transformers, gguf, folder)
        raise OSError("disk full")

    monkeypatch.setattr(unpacking, "_unpack", broken)
    with pytest.raises(OSError, match="disk full"):
        unpacked(SimpleNamespace(), gguf)
    assert list(gguf.parent.iterdir()) == [gguf]


def test_another_process_that_was_faster_is_believed(gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def beaten(transformers: Any, gguf: Path, folder: Path) -> None:
        written(transformers, gguf, folder)
        kept = gguf.parent / FOLDER
        kept.mkdir()
        (kept / "theirs").touch()

    monkeypatch.setattr(unpacking, "_unpack", beaten)
    kept = unpacked(SimpleNamespace(), gguf)
    assert kept == gguf.parent / FOLDER
    assert [path.name for path in kept.iterdir()] == ["theirs"]
