"""The child from outside: whatever becomes of it, the file fails with an error of its own, and in time."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from inference.audio import SAMPLE_RATE, DecodedFile, decode_file
from inference.media import process
from inference.media.errors import (
    DecoderCrashed,
    DecoderFailed,
    DecoderHung,
    DecoderOutOfMemory,
    DecoderOutOfTime,
    UnreadableAudioError,
)
from inference.media.process import DecoderProcess
from inference.media.sandbox import DEFAULT_LIMITS, Limits
from tests import REPOSITORY, recordings

PRELUDE = """
import os, sys, time, signal, ctypes, resource
import numpy as np
from inference.media.protocol import *
def say(*messages):
    for message in messages:
        os.write(1, encode(message))
def second():
    return Samples(0, 0.0, np.full(16_000, 0.5, np.float32))
HEADER = Header("wav", 10.0, (Track(0, "pcm", 16_000, 1),), 0)
os.write(1, preamble())
"""


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return recordings.record(tmp_path / "clip.wav")


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a script in the decoder's place; it begins when the preamble is out."""

    def put(script: str) -> None:
        monkeypatch.setattr(process, "COMMAND", (sys.executable, "-B", "-c", PRELUDE + script))

    return put


def seconds_heard(path: Path, limits: Limits) -> tuple[float, UnreadableAudioError]:
    """What comes before the error, and the error."""
    blocks = []
    with pytest.raises(UnreadableAudioError) as caught:
        blocks.extend(decode_file(path, limits=limits))
    return sum(len(block) for block in blocks) / SAMPLE_RATE, caught.value


def hurry(file: DecodedFile, limits: Limits) -> None:
    """Have less patience from now on: how long a child takes to start says how busy the machine is."""
    assert file._process is not None
    file._process._limits = limits


class TestHangs:
    LIMITS = Limits(stall_s=1.0)

    def test_before_its_first_word(self, clip: Path, stand_in: Callable[[str], None]) -> None:
        stand_in("time.sleep(600)")
        began = time.monotonic()
        heard, error = seconds_heard(clip, self.LIMITS)
        assert (heard, type(error)) == (0, DecoderHung)
        assert str(error) == f"{clip} keeps its decoder busy without an end"
        assert time.monotonic() - began < 20

    def test_in_the_middle(self, clip: Path, stand_in: Callable[[str], None]) -> None:
        stand_in("say(HEADER, second()); time.sleep(600)")
        file = decode_file(clip)
        assert len(next(file)) == SAMPLE_RATE
        hurry(file, Limits(stall_s=0.5))
        with pytest.raises(DecoderHung):
            next(file)

    def test_in_a_native_call(self, clip: Path, stand_in: Callable[[str], None]) -> None:
        stand_in("say(HEADER); ctypes.CDLL(None).pause()")
        assert type(seconds_heard(clip, self.LIMITS)[1]) is DecoderHung

    def test_with_a_word_now_and_then(self, clip: Path, stand_in: Callable[[str], None]) -> None:
        """A child that only says that it is alive is not waited for as long as it likes."""
        stand_in("say(HEADER)\nwhile True: say(Alive()); time.sleep(0.1)")
        began = time.monotonic()
        assert type(seconds_heard(clip, Limits(wait_s=2.0))[1]) is DecoderHung
        assert time.monotonic() - began < 20

    def test_a_reader_that_takes_its_time_is_no_hang(self, clip: Path, stand_in: Callable[[str], None]) -> None:
        stand_in("say(HEADER, *[second() for _ in range(40)]); say(End()); time.sleep(600)")
        file = decode_file(clip)
        next(file)
        hurry(file, Limits(stall_s=20.0, wait_s=0.0))
        file._process._waited_s = -20.0  # of the start
        began = time.monotonic()
        threading.Event().wait(1.0)  # the reader's pause
        assert sum(1 for _ in file) == 39
        assert file._process._waited_s < time.monotonic() - began - 20.0, "its own pause is not counted"

    def test_the_real_child_ends_itself(self, tmp_path: Path) -> None:
        """Its alarm rings also when nobody is left to end it; here it waits for a file that never comes."""
        os.mkfifo(tmp_path / "pipe")
        command = [*process.COMMAND, '{"stall_s": 1.0}']
        with (tmp_path / "pipe").open("r+b", buffering=0) as nothing:
            child = subprocess.run(
                command, stdin=nothing, stdout=subprocess.DEVNULL, env=process._environment(), timeout=60
            )
        assert child.returncode == -signal.SIGALRM


class TestCrashes:
    @pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT])
    def test_by_a_signal(self, clip: Path, stand_in: Callable[[str], None], number: signal.Signals) -> None:
        stand_in(f"say(HEADER, second()); os.kill(os.getpid(), {number:d})")
        heard, error = seconds_heard(clip, DEFAULT_LIMITS)
        assert (heard, type(error)) == (1.0, DecoderCrashed)
        assert str(error) == f"{clip} ended its decoder: {number.name}"
        assert isinstance(error, DecoderFailed)

    def test_by_an_error_that_nobody_expected(self, clip: Path, stand_in: Callable[[str], None]) -> None:
        stand_in("say(HEADER); raise RuntimeError('no such thing')")
        _, error = seconds_heard(clip, DEFAULT_LIMITS)
        assert str(error) == f"{clip} ended its decoder: RuntimeError: no such thing"

    @pytest.mark.parametrize(
        "script", ["os.write(1, bytes(64))", "say(second(), HEADER); os.write(1, b'x' * 100)", "pass", "say(HEADER)"]
    )
    def test_by_nonsense_or_silence(self, clip: Path, stand_in: Callable[[str], None], script: str) -> None:
        stand_in(script)
        assert type(seconds_heard(clip, DEFAULT_LIMITS)[1]) is DecoderCrashed

    def test_how_much_is_missing_is_known_where_the_file_says_its_length(
        self, clip: Path, stand_in: Callable[[str], None]
    ) -> None:
        stand_in("say(HEADER, second()); os.abort()")
        file = decode_file(clip)
        with pytest.raises(DecoderCrashed):
            list(file)
        assert (file.heard_s, file.missing_s) == (1.0, 9.0)

    def test_and_is_not_known_where_it_does_not(self, clip: Path, stand_in: Callable[[str], None]) -> None:
        stand_in("say(Header('mp3', None, HEADER.tracks, 0), second()); os.abort()")
        file = decode_file(clip)
        with pytest.raises(DecoderCrashed):
            list(file)
        assert file.missing_s is None


class TestLimits:
    """The child's own, with the real child where a real file can reach them."""

    def test_memory(self, tmp_path: Path) -> None:
        """An MP4 whose picture is said to be of 200 MB: a file with a hole in it, so it takes no room on the disk."""
        path = recordings.with_large_picture(tmp_path / "x.m4a", 200 << 20)
        assert sum(len(block) for block in decode_file(path)) == pytest.approx(10 * SAMPLE_RATE, rel=0.01)
        _, error = seconds_heard(path, Limits(memory_bytes=300 << 20))
        assert type(error) is DecoderOutOfMemory
        assert str(error) == f"{path} takes more memory to decode than a file may have"

    def test_processor(self, clip: Path, stand_in: Callable[[str], None]) -> None:
        stand_in(
            "from inference.media.sandbox import Limits, confine\n"
            "confine(Limits(cpu_s=1.0, longest_s=0.0)); say(HEADER)\nwhile True: pass"
        )
        heard, error = seconds_heard(clip, DEFAULT_LIMITS)
        assert (heard, type(error)) == (0, DecoderOutOfTime)

    def test_the_processors_time_grows_with_the_sound(self, tmp_path: Path) -> None:
        """Ten minutes of sound are decoded in a second of a core or two; one second to begin with is not all."""
        path = recordings.record(tmp_path / "long.flac", seconds=1_500, codec="flac")
        limits = Limits(cpu_s=2.0, longest_s=7_200)
        assert sum(len(block) for block in decode_file(path, limits=limits)) == 1_500 * SAMPLE_RATE

    def test_a_child_that_was_talked_out_of_its_limits(self, clip: Path, stand_in: Callable[[str], None]) -> None:
        stand_in("say(HEADER)\nwhile True: say(second())")
        heard, error = seconds_heard(clip, Limits(longest_s=20))
        assert heard <= 20
        assert str(error).startswith(f"{clip} is longer than")


class TestEnds:
    """No child is left behind."""

    @staticmethod
    def children() -> list[psutil.Process]:
        return [child for child in psutil.Process().children() if "inference.media" in child.cmdline()]

    def test_when_it_is_forgotten(self, tmp_path: Path) -> None:
        file = decode_file(recordings.record(tmp_path / "x.wav", seconds=120))
        next(file)
        [child] = self.children()
        del file
        gc.collect()
        assert not child.is_running()

    def test_when_it_is_closed(self, tmp_path: Path) -> None:
        file = decode_file(recordings.record(tmp_path / "x.wav", seconds=120))
        next(file)
        [child] = self.children()
        file.close()
        assert not child.is_running()

    def test_when_another_thread_ends_it(self, clip: Path, stand_in: Callable[[str], None]) -> None:
        stand_in("say(HEADER, second()); time.sleep(600)")
        file = decode_file(clip)
        next(file)
        threading.Timer(0.5, file.kill).start()
        began = time.monotonic()
        with pytest.raises(DecoderCrashed, match="SIGKILL"):
            next(file)
        assert time.monotonic() - began < 20

    def test_when_its_parent_is_killed(self, tmp_path: Path) -> None:
        path = recordings.record(tmp_path / "x.wav", seconds=120)
        script = (
            "import sys, time; from inference.audio import decode_file;"
            f"file = decode_file({str(path)!r}); next(file); print('ready', flush=True); time.sleep(600)"
        )
        parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=REPOSITORY)
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        [child] = psutil.Process(parent.pid).children()
        parent.kill()
        parent.wait()
        parent.stdout.close()
        psutil.wait_procs([child], timeout=30)
        assert not child.is_running()


def test_the_child_is_told_no_secret(
    clip: Path, stand_in: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "hush")
    monkeypatch.setenv("DATABASE_URL", "postgres://user:hush@host/name")
    stand_in("say(HEADER); raise RuntimeError(sorted(os.environ))")
    _, error = seconds_heard(clip, DEFAULT_LIMITS)
    assert "PYTHONPATH" in str(error)
    assert "SECRET_KEY" not in str(error)
    assert "DATABASE_URL" not in str(error)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableAudioError, match=r"gone\.wav cannot be read as audio: No such file"):
        DecoderProcess(tmp_path / "gone.wav", DEFAULT_LIMITS)


def test_a_folder_is_no_recording(tmp_path: Path) -> None:
    with pytest.raises(UnreadableAudioError, match="cannot be read as audio: Is a directory"):
        next(decode_file(tmp_path))
