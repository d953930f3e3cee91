"""A process that gets no processor for a while, as `SIGSTOP` does it: it neither answers nor dies."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psutil
import pytest

from tests.faults.causes import stopped
from tests.faults.meeting import MID_SENTENCE, SLOWLY, Clip, LiveMeeting
from tests.faults.processes import Assignment, Process, broker_of, only_these_die, second_web, second_worker
from tests.live import MeetingLinks, RunningParlance, running_parlance
from tests.meetings.test_nothing_lost import assert_same

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("faults"), pytest.mark.timeout(900)]

STOPPED_S = 10.0
"""More than a lease lasts."""

BROKER_STOPPED_S = 8.0
TAKEN_OVER_WITHIN_S = 10.0
READS = 3
"""Texts that a bystander reads while others are stopped."""


@pytest.fixture(scope="module")
def parlance(captions_alone: dict[str, str]) -> Iterator[RunningParlance]:
    with running_parlance(environment=captions_alone) as running:
        yield running


@pytest.fixture(scope="module")
def assignment(parlance: RunningParlance) -> Assignment:
    return Assignment(broker_of(parlance))


@pytest.fixture(scope="module")
def first_name(assignment: Assignment) -> str:
    """What the worker of `live` is called."""
    return assignment.new_worker()


@pytest.fixture(scope="module")
def second(parlance: RunningParlance, first_name: str) -> Iterator[Process]:
    with second_worker(parlance) as worker:
        yield worker


@pytest.fixture(scope="module")
def second_name(assignment: Assignment, first_name: str, second: Process) -> str:
    return assignment.new_worker(first_name)


def new_meeting(parlance: RunningParlance, assignment: Assignment, worker: str) -> MeetingLinks:
    links = parlance.create_meeting()
    assignment.reserve(links.id, worker)
    return links


async def test_a_stopped_workers_meetings_are_taken_over_and_it_is_fenced_off_when_it_wakes(
    parlance: RunningParlance,
    assignment: Assignment,
    first_name: str,
    second: Process,
    second_name: str,
    long_clip: Clip,
) -> None:
    """Its lease runs out by itself: nobody gives it back."""
    first = parlance.process("inference")
    with only_these_die(parlance, others=[second]):
        async with (
            LiveMeeting(new_meeting(parlance, assignment, first_name), long_clip.frames) as meeting,
            LiveMeeting(new_meeting(parlance, assignment, second_name), long_clip.frames, speed=SLOWLY) as bystander,
        ):
            await meeting.sent(MID_SENTENCE)
            await bystander.read_on()
            assert assignment.worker_of(meeting.links.id) == first_name
            dropped = parlance.output.count('"lease_expired"')
            async with stopped(first, STOPPED_S):
                await meeting.until(
                    lambda: assignment.worker_of(meeting.links.id) == second_name, within_s=TAKEN_OVER_WITHIN_S
                )
                await bystander.read_on(READS)
                await meeting.read_on()
            await meeting.until(lambda: parlance.output.count('"lease_expired"') == dropped + 1)
            assert assignment.worker_of(meeting.links.id) == second_name
            assert_same(await meeting.end(), long_clip.captions)
            assert_same(await bystander.end(), long_clip.captions)
            assert "degraded" not in bystander.told()


async def test_all_workers_stopped_lose_nothing(parlance: RunningParlance, second: Process, clip: Clip) -> None:
    workers = [parlance.process("inference"), psutil.Process(second.popen.pid)]
    with only_these_die(parlance, others=[second]):
        async with LiveMeeting(parlance.create_meeting(), clip.frames, speed=3.0) as meeting:
            await meeting.sent(MID_SENTENCE)
            began = time.monotonic()
            async with stopped(workers[0], STOPPED_S), stopped(workers[1], STOPPED_S):
                pass
            await meeting.be_told("catching_up", since=began)
            assert_same(await meeting.end(), clip.captions)


async def test_a_stopped_web_process_loses_nothing_and_is_no_others_matter(
    parlance: RunningParlance, second: Process, clip: Clip, long_clip: Clip
) -> None:
    """The bystander is at another one."""
    web = parlance.process("web")
    with second_web(parlance) as (other, port), only_these_die(parlance, others=[second, other]):
        elsewhere = MeetingLinks(*_links(parlance), port)
        async with (
            LiveMeeting(parlance.create_meeting(), clip.frames) as meeting,
            LiveMeeting(elsewhere, long_clip.frames, speed=SLOWLY) as bystander,
        ):
            await meeting.sent(MID_SENTENCE)
            await bystander.read_on()
            async with stopped(web, STOPPED_S):
                await bystander.read_on(READS)
            assert_same(await meeting.end(), clip.captions)
            assert_same(await bystander.end(), long_clip.captions)
            assert "degraded" not in bystander.told()
            assert bystander.reader.connections == 1


def _links(parlance: RunningParlance) -> tuple[str, str, str]:
    links = parlance.create_meeting()
    return links.id, links.host_token, links.join_token


async def test_a_stopped_broker_is_told_of_and_loses_nothing(
    parlance: RunningParlance, second: Process, long_clip: Clip
) -> None:
    broker = parlance.process("valkey-server")
    with only_these_die(parlance, others=[second]):
        async with LiveMeeting(parlance.create_meeting(), long_clip.frames) as meeting:
            await meeting.sent(MID_SENTENCE)
            began = time.monotonic()
            async with stopped(broker, BROKER_STOPPED_S):
                await meeting.be_told("degraded", since=began)
            await meeting.read_on()
            assert_same(await meeting.end(), long_clip.captions)
            assert meeting.reader.connections == 1
