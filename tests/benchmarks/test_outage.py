"""The outage benchmark without its processes: a host and a reader that are scripted, and the product's own record."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from benchmarks import mute_worker, outage
from benchmarks.outage import Interrupted, figures, swaps_of
from inference.summarization.summarizer import ChatSummarizer
from inference.summarization.summary import SpokenUtterance, Summary, SummaryRequest
from tests.live import MeetingLinks, Message, RunningParlance

STEP_S = 0.01


class ScriptedMeeting:
    """Host, reader and socket in one: captions come, and a summary is written when it is asked for."""

    def __init__(self, *_: object) -> None:
        self.started = time.monotonic()
        self.messages: list[tuple[float, Message]] = []
        self.asked = asyncio.Event()
        self.socket = self

    async def send(self, text: str) -> None:
        assert json.loads(text) == {"type": "summarize"}
        self.asked.set()

    async def play(self, *, end: bool) -> None:
        assert not end
        await asyncio.Event().wait()

    async def watch(self) -> None:
        for number in range(10_000):
            self._hear({"type": "caption", "segment": str(number), "end": time.monotonic() - self.started})
            await asyncio.sleep(STEP_S)
            if self.asked.is_set():
                self.asked.clear()
                for state in ("summarizing", "catching_up", "live"):
                    self._hear({"type": "notice", "state": state})
                    await asyncio.sleep(STEP_S)

    def _hear(self, message: Message) -> None:
        self.messages.append((time.monotonic(), message))


@pytest.fixture
def meeting(monkeypatch: pytest.MonkeyPatch) -> Interrupted:
    scripted = ScriptedMeeting()
    monkeypatch.setattr(outage, "CLIPS", [])
    monkeypatch.setattr(outage, "LOOK_S", STEP_S)
    monkeypatch.setattr(outage, "Host", lambda *_: scripted)
    monkeypatch.setattr(outage, "Reader", lambda *_: scripted)
    return Interrupted(MeetingLinks("m", "h", "j", 1))


async def test_two_summaries_are_asked_for_one_after_the_other(meeting: Interrupted) -> None:
    assert await meeting.hold() is True
    first, second = meeting.pauses()
    assert meeting.asked[0] < meeting.asked[1]
    for pause in (first, second):
        assert STEP_S <= pause.away_s < pause.until_live_s
        assert figures(pause)["until_live_s"] == round(pause.until_live_s, 2)
    assert meeting.usual_gap() >= STEP_S
    assert meeting.usual_wait() >= 0.0


async def test_a_way_that_takes_too_long_is_told_as_far_as_it_came(
    meeting: Interrupted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage, "LIMIT_S", 0.3)
    monkeypatch.setattr(ScriptedMeeting, "send", lambda self, text: asyncio.sleep(0))
    assert await meeting.hold() is False
    assert (len(meeting.asked), meeting.pauses()) == (1, [])


def test_swaps_are_read_from_the_products_record(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "parlance.sqlite3") as database:
        database.execute("CREATE TABLE meetings_swap (direction, outcome, seconds, gibibytes, created_at)")
        rows = [
            ("to transcription", "completed", 2.0, 0.1, "2026-02"),
            ("to summarization", "failed", 1.0, 0, "2026-01"),
        ]
        database.executemany("INSERT INTO meetings_swap VALUES (?, ?, ?, ?, ?)", rows)
    found = swaps_of(cast(RunningParlance, SimpleNamespace(data=tmp_path)))
    assert [(swap["direction"], swap["outcome"], swap["seconds"]) for swap in found] == [
        ("to summarization", "failed", 1.0),
        ("to transcription", "completed", 2.0),
    ]


def test_the_mute_worker_writes_nothing_in_the_summarisers_place(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[Any] = []
    line = SpokenUtterance("1", 2.0, 5.0, "We decided to wait.", "en", None, None)
    request = SummaryRequest((line,), "en")

    def work(command: list[str]) -> None:
        commands.append(command)
        written = ChatSummarizer.summarize(cast(ChatSummarizer, None), request, within_s=1.0)
        assert written == Summary(2.0, 5.0, "en", "", ())

    monkeypatch.setattr(mute_worker, "execute_from_command_line", work)
    mute_worker.main()
    assert commands == [["manage.py", "inference", "--name", "mute"]]
