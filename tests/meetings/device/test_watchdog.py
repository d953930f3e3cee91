"""What hangs ends the process; what comes back in time does not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from meetings.device import watchdog
from meetings.worker import summarize

LIMIT_S = 5.0
STOPPED_S = 7.0
"""More than the limit, so that a clock of the wall would end it; the child has seconds to spare around it."""
STOPPED = f"""
import os, signal, time
from meetings.device.watchdog import watched
with watched("captioning", {LIMIT_S}):
    begun = time.monotonic()
    os.kill(os.getpid(), signal.SIGSTOP)
    while time.monotonic() - begun < {STOPPED_S}:
        time.sleep(0.05)
print("in time", flush=True)
"""
HANGS = """
import threading
from meetings.device.watchdog import watched
with watched("moving", 0.2):
    threading.Event().wait()
"""


def test_a_process_whose_models_hang_is_ended_and_says_where() -> None:
    done = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "models_hang" in done.stdout
    assert "moving" in done.stdout


def test_a_block_that_ends_in_time_is_watched_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []
    monkeypatch.setattr(watchdog, "end_process", lambda what, limit_s: ended.append(what))
    dog = watchdog.Watchdog()
    number = dog.enter("a test", 1.0)
    dog.count(0.9)
    assert dog.longest_s() >= 0.9
    dog.leave(number)
    dog.count(5.0)
    assert ended == []


def test_a_block_that_makes_progress_is_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []
    monkeypatch.setattr(watchdog, "end_process", lambda what, limit_s: ended.append(what))
    dog = watchdog.Watchdog()
    number = dog.enter("a test", 1.0)
    for _ in range(5):
        dog.count(0.9)
        dog.restart(number)
    assert ended == []
    dog.count(1.1)
    dog.leave(number)
    assert ended == ["a test"]


def test_what_may_take_its_time_says_nothing_about_readiness() -> None:
    dog = watchdog.Watchdog()
    moving = dog.enter("moving", 900.0)
    dog.count(100.0)
    assert dog.longest_s() == 0.0
    captioning = dog.enter("captioning", 900.0)
    dog.count(20.0)
    assert dog.longest_s() >= 20.0
    dog.leave(moving)
    dog.leave(captioning)


def test_a_thread_that_waits_for_a_processor_does_not_hang() -> None:
    before = {"1": 5.0, "2": 100.0, "gone": 3.0}
    after = {"1": 5.75, "2": 100.25, "new": 50.0}
    assert watchdog.starved_s(before, after) == 0.75
    assert watchdog.starved_s({}, {}) == 0.0


def test_a_stopped_process_is_not_held_to_hang() -> None:
    with subprocess.Popen([sys.executable, "-c", STOPPED], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        _, status = os.waitpid(child.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        time.sleep(STOPPED_S)
        child.send_signal(signal.SIGCONT)
        assert child.stdout.readline() == "in time\n"
        assert child.wait(60) == 0


def test_who_looks_at_the_time_is_never_ended_for_writing() -> None:
    assert watchdog.WRITING_S >= summarize.SUMMARY_DEADLINE_S + 60.0
