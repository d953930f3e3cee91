"""Recordings that come within a request."""

from __future__ import annotations

import errno
import gc
import os
import time
from collections.abc import Callable

import pytest
from django.http import HttpRequest

from meetings.store import incoming_files, upload_files
from meetings.store.incoming_files import Incoming, IncomingHandler


def left() -> list[str]:
    return [path.name for path in upload_files.folder().glob(f"{incoming_files.INCOMING_PREFIX}*")]


@pytest.fixture(autouse=True)
def _nothing_from_before() -> None:
    for path in upload_files.folder().glob(f"{incoming_files.INCOMING_PREFIX}*"):
        path.unlink()


def handled(content: bytes) -> Incoming:
    handler = IncomingHandler(HttpRequest())
    handler.new_file("file", "talk.wav", "audio/wav", len(content))
    for start in range(0, len(content), 4):
        assert handler.receive_data_chunk(content[start : start + 4], start) is None
    whole = handler.file_complete(len(content))
    assert whole is not None
    return whole


def test_it_is_given_as_a_form_gives_files() -> None:
    file = handled(b"RIFF of no matter")
    assert (file.name, file.size, file.read()) == ("talk.wav", 17, b"RIFF of no matter")
    file.close()
    assert left() == []


def test_it_is_moved_not_copied() -> None:
    file = handled(b"RIFF of no matter")
    number = file.path.stat().st_ino
    file.move("meeting")
    file.close()
    assert upload_files.path("meeting").stat().st_ino == number
    assert upload_files.path("meeting").read_bytes() == b"RIFF of no matter"
    assert left() == []
    upload_files.delete("meeting")


def test_a_request_that_breaks_off_leaves_nothing() -> None:
    handler = IncomingHandler(HttpRequest())
    handler.new_file("file", "talk.wav", "audio/wav", 9)
    assert len(left()) == 1
    handler.upload_interrupted()
    assert left() == []
    forgotten = handled(b"x")
    assert len(left()) == 1
    del forgotten
    gc.collect()
    assert left() == []


@pytest.mark.parametrize("is_sudden", [False, True])
def test_a_disk_that_fills_while_it_comes_is_noticed_then(monkeypatch: pytest.MonkeyPatch, is_sudden: bool) -> None:
    """By asking, or because another one has filled it since."""
    handler = IncomingHandler(HttpRequest())
    handler.new_file("file", "talk.wav", "audio/wav", 8)
    assert handler.incoming is not None
    handler.receive_data_chunk(b"RIFF", 0)
    if is_sudden:
        monkeypatch.setattr(handler.incoming.file, "write", failing(OSError(errno.ENOSPC, "No space left on device")))
    else:
        monkeypatch.setattr(upload_files, "DISK_RESERVE", 2**62)
    with pytest.raises(upload_files.DiskFull):
        handler.receive_data_chunk(b"of n", 4)
    assert left() == []


def failing(error: OSError) -> Callable[[bytes], int]:
    def fail(_: bytes) -> int:
        raise error

    return fail


def test_what_a_process_left_that_died_is_deleted_after_a_day() -> None:
    for name, age_s in (("old", incoming_files.FORGOTTEN_S + 60), ("young", 60.0)):
        path = upload_files.folder() / f"{incoming_files.INCOMING_PREFIX}{name}"
        path.touch()
        os.utime(path, (time.time() - age_s, time.time() - age_s))
    incoming_files.forget_old()
    assert left() == [f"{incoming_files.INCOMING_PREFIX}young"]
