"""Two versions side by side: a rolling upgrade and its rollback in the middle of a meeting, and a meeting left by an
older version.
"""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest
from jiwer import wer

from tests.faults.meeting import MID_SENTENCE, Clip, LiveMeeting
from tests.faults.newer_version import FIELD, KIND, NEWER, OTHER_CHECKPOINTS
from tests.faults.older_version import recorded
from tests.faults.processes import Assignment, broker_of, only_these_die, second_web, second_worker
from tests.live import REPOSITORY, MeetingLinks, Message, Reader, RunningParlance, running_parlance
from tests.meetings.test_nothing_lost import assert_same

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("faults"), pytest.mark.timeout(900)]

ELSEWHERE_BEGUN = 0.05
"""Words that may differ where a checkpoint cannot be read: speech is looked for from the cursor on, with nothing known
of the sound before, so the next utterance may begin a moment earlier or later."""


@pytest.fixture(scope="module")
def parlance(captions_alone: dict[str, str]) -> Iterator[RunningParlance]:
    """This version, which is the older one of two."""
    with running_parlance(environment=captions_alone) as running:
        yield running


@pytest.mark.parametrize("checkpoints", [{}, OTHER_CHECKPOINTS], ids=["one field more", "another meaning"])
async def test_a_rolling_upgrade_and_a_rollback_lose_nothing(
    parlance: RunningParlance, clip: Clip, checkpoints: dict[str, str]
) -> None:
    """One worker and one web process of each version; host and meeting go over to the newer ones, and back."""
    assignment = Assignment(broker_of(parlance))
    older_name = assignment.new_worker()
    links = parlance.create_meeting()
    newer = {**NEWER, **checkpoints}
    with (
        only_these_die(parlance, "inference"),
        second_worker(parlance, environment=newer) as worker,
        second_web(parlance, environment=newer) as (web, port),
    ):
        newer_name = assignment.new_worker(older_name)
        assignment.reserve(links.id, older_name)
        there = MeetingLinks(links.id, links.host_token, links.join_token, port)
        async with LiveMeeting(links, clip.frames, speed=1.0) as meeting:
            other = Reader(there)
            watching = asyncio.create_task(other.watch())
            await meeting.sent(MID_SENTENCE)
            await meeting.read_on()
            assert assignment.worker_of(links.id) == older_name
            parlance.process("inference").terminate()
            await meeting.until(lambda: assignment.worker_of(links.id) == newer_name)
            go_over(meeting, there)
            await meeting.until(lambda: f'"{FIELD}"' in checkpoint_of(parlance, links.id))
            await meeting.until(lambda: KIND in marks_of(parlance, links.id))
            await meeting.until(lambda: bool(other.captions))
            await asyncio.to_thread(worker.stop)
            go_over(meeting, links)
            other.links = links
            await asyncio.to_thread(web.stop)
            await meeting.until(lambda: assignment.worker_of(links.id) not in ("", newer_name))
            transcript = await meeting.end()
            if checkpoints:
                assert wer(words(clip.captions), words(transcript)) < ELSEWHERE_BEGUN
            else:
                assert_same(transcript, clip.captions)
            await watching
            assert other.transcript() == meeting.reader.transcript()
            assert meeting.reader.connections == 1
            assert "step_failed" not in parlance.output


def words(transcript: list[Message]) -> str:
    return " ".join(caption["text"] for caption in transcript)


def go_over(meeting: LiveMeeting, links: MeetingLinks) -> None:
    """The host's page connects to another web process."""
    meeting.host.links = links
    assert meeting.host.socket is not None
    meeting.host.socket.transport.abort()


def checkpoint_of(parlance: RunningParlance, meeting_id: str) -> str:
    address = f"file:{parlance.data / 'parlance.sqlite3'}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as database:
        query = "SELECT checkpoint FROM meetings_meeting WHERE id = ?"
        return str(database.execute(query, [meeting_id]).fetchone()[0])


def marks_of(parlance: RunningParlance, meeting_id: str) -> set[str]:
    """In the audio log."""
    entries = broker_of(parlance).xrange(f"parlance:{{{meeting_id}}}:audio")
    return {fields[b"m"].decode() for _, fields in entries if b"m" in fields}


async def test_a_meeting_that_an_older_version_left_goes_on(parlance: RunningParlance, long_clip: Clip) -> None:
    """Its checkpoint, captions and log as they were recorded then; its web processes' viewers hear its messages."""
    links = parlance.create_meeting()
    command = [sys.executable, "-m", "tests.faults.older_version", links.id]
    await asyncio.to_thread(subprocess.run, command, cwd=REPOSITORY, env=parlance.environment, check=True, timeout=120)
    record, broker = recorded(), broker_of(parlance)
    with only_these_die(parlance):
        async with LiveMeeting(links, long_clip.frames) as meeting:
            await meeting.until(lambda: len(meeting.reader.captions) >= len(record["captions"]))
            for message in record["messages"]:
                assert broker.publish(f"parlance:{{{links.id}}}:events", message) >= 1
            transcript = await meeting.end()
            assert meeting.reader.connections == 1
    before = len(record["captions"])
    assert [caption["text"] for caption in transcript[:before]] == [row["text"] for row in record["captions"]]
    # This version divides speech otherwise.
    assert len(transcript) > before
    assert transcript[-1]["text"] == long_clip.captions[-1]["text"]
    stored = {row["segment"]: row["seq"] for row in record["captions"]}
    kept = {
        caption["segment"]: caption["seq"] for caption in meeting.reader.transcript() if caption["segment"] in stored
    }
    assert kept == stored, "nothing was captioned a second time"
