"""A model that hangs, raises or crashes over one meeting: that one is put aside, and the others are captioned."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing

import psutil
import pytest

from tests.faults.failing_models import FAILING, Failure, fail_for, failures, mend
from tests.faults.meeting import MID_SENTENCE, SLOWLY, Clip, LiveMeeting
from tests.faults.processes import Assignment, broker_of, only_these_die, second_worker
from tests.live import RunningParlance, running_parlance
from tests.meetings.test_nothing_lost import assert_same
from tests.operations import Operator

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("failures"), pytest.mark.timeout(900)]

HANG_LIMIT_S = 3
TAKEN_OVER_WITHIN_S = 10.0
BUSY_S = 10.0
"""Seconds in which the watchdog had no processor do not count as hung: a busy machine has that many."""

READS = 3


@pytest.fixture(scope="module")
def parlance(captions_alone: dict[str, str]) -> Iterator[RunningParlance]:
    settings = {**captions_alone, **FAILING, "PARLANCE_HANG_LIMIT_S": str(HANG_LIMIT_S)}
    with running_parlance(environment=settings) as running:
        yield running


async def test_a_meeting_whose_decode_raises_is_put_aside_and_no_other_pauses(
    parlance: RunningParlance, clip: Clip, long_clip: Clip
) -> None:
    with only_these_die(parlance):
        async with (
            LiveMeeting(parlance.create_meeting(), clip.frames) as meeting,
            LiveMeeting(parlance.create_meeting(), long_clip.frames, speed=SLOWLY) as bystander,
        ):
            await meeting.sent(MID_SENTENCE)
            began = time.monotonic()
            fail_for(parlance.data, meeting.links.id, Failure.RAISE)
            await meeting.be_told("degraded", since=began)
            await bystander.read_on(READS)
            await meeting.until(lambda: is_set_aside(parlance, meeting.links.id))
            assert_same(await bystander.end(), long_clip.captions)
            assert "degraded" not in bystander.told()
            assert failed_meetings(parlance) == {meeting.links.id: 3}
            try_again(parlance, meeting.links.id)
            assert_same(await meeting.end(), clip.captions)


async def test_a_decode_that_hangs_ends_its_worker_and_its_meeting_is_put_aside(
    parlance: RunningParlance, clip: Clip, long_clip: Clip
) -> None:
    """The bystander is the other worker's, which takes the meeting over, finds it to blame, and dies of it."""
    assignment = Assignment(broker_of(parlance))
    first = assignment.new_worker()
    pid = parlance.process("inference").pid
    with second_worker(parlance) as second, only_these_die(parlance, "inference"):
        other = assignment.new_worker(first)
        links, bystander_links = parlance.create_meeting(), parlance.create_meeting()
        assignment.reserve(links.id, first)
        assignment.reserve(bystander_links.id, other)
        async with (
            LiveMeeting(links, clip.frames) as meeting,
            LiveMeeting(bystander_links, long_clip.frames, speed=SLOWLY) as bystander,
        ):
            await meeting.sent(MID_SENTENCE)
            await bystander.read_on()
            fail_for(parlance.data, links.id, Failure.HANG)
            await meeting.until(lambda: bool(failures(parlance.data)))
            await bystander.read_on()
            await meeting.until(lambda: not psutil.pid_exists(pid), within_s=HANG_LIMIT_S + BUSY_S)
            assert '"at": "captioning"' in parlance.output
            await meeting.until(lambda: assignment.worker_of(links.id) not in ("", first), within_s=TAKEN_OVER_WITHIN_S)
            await meeting.until(lambda: is_set_aside(parlance, links.id))
            assert not second.is_alive
            assert_same(await bystander.end(), long_clip.captions)
            assert failed_meetings(parlance) == {links.id: 3}
            assert len({failed.pid for failed in failures(parlance.data)}) == 4, "one that had others too, three alone"
            try_again(parlance, meeting.links.id)
            assert_same(await meeting.end(), clip.captions)


async def test_a_decode_that_crashes_its_worker_is_put_aside(
    parlance: RunningParlance, clip: Clip, long_clip: Clip
) -> None:
    """Both are the only worker's."""
    with only_these_die(parlance, "inference"):
        async with (
            LiveMeeting(parlance.create_meeting(), clip.frames) as meeting,
            LiveMeeting(parlance.create_meeting(), long_clip.frames, speed=SLOWLY) as bystander,
        ):
            await meeting.sent(MID_SENTENCE)
            await bystander.read_on()
            fail_for(parlance.data, meeting.links.id, Failure.CRASH)
            await meeting.until(lambda: is_set_aside(parlance, meeting.links.id))
            assert_same(await bystander.end(), long_clip.captions)
            assert failed_meetings(parlance) == {meeting.links.id: 3}
            assert len({failed.pid for failed in failures(parlance.data)}) == 4
            try_again(parlance, meeting.links.id)
            assert_same(await meeting.end(), clip.captions)


def is_set_aside(parlance: RunningParlance, meeting_id: str) -> bool:
    return bool(
        _rows(parlance, "SELECT 1 FROM meetings_stagefailure WHERE meeting_id = ? AND set_aside_at", meeting_id)
    )


def failed_meetings(parlance: RunningParlance) -> dict[str, int]:
    """How often each failed."""
    return dict(_rows(parlance, "SELECT meeting_id, attempts FROM meetings_stagefailure"))


def _rows(parlance: RunningParlance, query: str, *values: str) -> list[tuple[str, int]]:
    address = f"file:{parlance.data / 'parlance.sqlite3'}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as database:
        return database.execute(query, values).fetchall()


def try_again(parlance: RunningParlance, meeting_id: str) -> None:
    """The model works again, and an operator says so."""
    mend(parlance.data)
    assert "The meeting is tried again." in Operator(parlance).tries_again(meeting_id)
