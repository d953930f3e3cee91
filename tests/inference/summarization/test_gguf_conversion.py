"""A GGUF unpacked once: kept in one piece or not at all. What is in it is compared where the real model is loaded."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from inference.models.loading.component import Form, NotMappable
from inference.summarization import gguf_conversion
from inference.summarization.chat_weights import GgufChat
from inference.summarization.gguf_conversion import FOLDER, SOURCE, find_unpacked, is_being_unpacked, unpacked


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    return path


def written(gguf: Path, folder: Path) -> None:
    (folder / "config.json").write_text("{}")
    (folder / "config.json").chmod(0o600)


@pytest.fixture
def kept(gguf: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(gguf_conversion, "_unpack", written)
    folder = unpacked(gguf)
    monkeypatch.setattr(gguf_conversion, "_unpack", None)
    assert folder is not None
    return folder


def test_it_is_unpacked_once_and_for_everybody(gguf: Path, kept: Path) -> None:
    assert kept == gguf.parent / FOLDER == find_unpacked(gguf) == unpacked(gguf)
    assert kept.stat().st_mode & 0o777 == 0o755
    assert (kept / "config.json").stat().st_mode & 0o777 == 0o644


def test_two_at_once_unpack_once_and_others_see_it_under_way(gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, may_end, times = threading.Event(), threading.Event(), []

    def slow(gguf: Path, folder: Path) -> None:
        times.append(folder)
        begun.set()
        assert may_end.wait(20)
        written(gguf, folder)

    monkeypatch.setattr(gguf_conversion, "_unpack", slow)
    assert not is_being_unpacked(gguf)
    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(unpacked, gguf) for _ in range(2)]
        assert begun.wait(20)
        assert is_being_unpacked(gguf)
        may_end.set()
        assert [one.result(20) for one in both] == [gguf.parent / FOLDER] * 2
    assert len(times) == 1
    assert not is_being_unpacked(gguf)
    assert sorted(path.name for path in gguf.parent.iterdir()) == [gguf.name, FOLDER]


def test_before_that_it_cannot_be_mapped(gguf: Path) -> None:
    assert find_unpacked(gguf) is None
    with pytest.raises(NotMappable, match=r"model\.gguf is packed"):
        GgufChat(gguf).map(Form())


def test_one_that_was_only_copied_is_the_same(gguf: Path, kept: Path) -> None:
    os.utime(gguf, ns=(1, 1))
    assert find_unpacked(gguf) == kept


def test_another_one_is_unpacked_anew(gguf: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (kept / "old").touch()
    gguf.write_bytes(b"FUGG")
    assert find_unpacked(gguf) is None
    monkeypatch.setattr(gguf_conversion, "_unpack", written)
    assert unpacked(gguf) == kept
    assert sorted(path.name for path in kept.iterdir()) == ["config.json", SOURCE]
    assert sorted(path.name for path in gguf.parent.iterdir()) == [gguf.name, FOLDER]


def test_a_second_one_in_the_same_folder_is_not_taken_for_the_first(gguf: Path, kept: Path) -> None:
    other = gguf.with_name("other.gguf")
    other.write_bytes(b"GGUF")
    assert find_unpacked(other) is None


def test_one_that_says_nothing_of_its_source_is_believed_and_nonsense_is_not(gguf: Path, kept: Path) -> None:
    (kept / SOURCE).write_text("{")
    assert find_unpacked(gguf) is None
    (kept / SOURCE).unlink()
    assert find_unpacked(gguf) == kept


def test_what_breaks_off_leaves_nothing(gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(gguf: Path, folder: Path) -> None:
        written(gguf, folder)
        raise OSError("disk full")

    monkeypatch.setattr(gguf_conversion, "_unpack", broken)
    with pytest.raises(OSError, match="disk full"):
        unpacked(gguf)
    assert list(gguf.parent.iterdir()) == [gguf]


def test_another_process_that_was_faster_is_believed(gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def beaten(gguf: Path, folder: Path) -> None:
        written(gguf, folder)
        theirs = gguf.parent / FOLDER
        theirs.mkdir()
        (theirs / "theirs").touch()

    monkeypatch.setattr(gguf_conversion, "_unpack", beaten)
    kept = unpacked(gguf)
    assert kept == gguf.parent / FOLDER
    assert [path.name for path in kept.iterdir()] == ["theirs"]
