"""What hangs ends the process; what comes back in time does not."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from meetings.workers import summarising, watchdog

HANGS = """
import threading
from meetings.workers.watchdog import watched
with watched("moving", 0.2):
    threading.Event().wait()
"""


def test_a_process_whose_models_hang_is_ended_and_says_where() -> None:
    done = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "models_hang" in done.stdout
    assert "moving" in done.stdout


def test_a_block_that_ends_in_time_is_watched_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setattr(watchdog, "end_process", lambda what, limit_s: ended.set())
    with watchdog.watched("a test", 60.0):
        [timer] = [thread for thread in threading.enumerate() if thread.name == "watchdog of a test"]
    timer.join(20)
    assert not timer.is_alive()
    assert not ended.is_set()


def test_who_looks_at_the_time_is_never_ended_for_writing() -> None:
    assert watchdog.WRITING_S >= summarising.WITHIN_S + 60.0
