"""A web process that has no descriptors left, because somebody opens connections and says nothing."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest
from websockets.exceptions import InvalidHandshake

from tests.faults.meeting import LOOK_S, PATIENCE_S, Clip, LiveMeeting
from tests.faults.processes import only_these_die, second_web
from tests.live import MeetingLinks, Reader, RunningParlance, running_parlance
from tests.meetings.test_nothing_lost import assert_same

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("faults"), pytest.mark.timeout(900)]

DESCRIPTORS = 128
IDLE = 3 * DESCRIPTORS
SOON = 20
"""Frame."""

READS = 4


@pytest.fixture(scope="module")
def parlance(captions_alone: dict[str, str]) -> Iterator[RunningParlance]:
    with running_parlance(environment=captions_alone) as running:
        yield running


@contextmanager
def idle_connections(port: int, count: int) -> Iterator[None]:
    """So many as are accepted, or wait to be."""
    with ExitStack() as open_sockets:
        for _ in range(count):
            connection = open_sockets.enter_context(socket.socket())
            connection.setblocking(False)
            with suppress(BlockingIOError):
                connection.connect(("127.0.0.1", port))
        yield


async def snapshot_when_let_in(links: MeetingLinks) -> None:
    """Try again as a browser does: the server closes, or answers 503, until it has cleared the idle ones away."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            await Reader(links).snapshot()
        except (InvalidHandshake, OSError):
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(LOOK_S)
        else:
            return


async def test_who_has_a_connection_reads_on_while_others_take_all_descriptors(
    parlance: RunningParlance, clip: Clip
) -> None:
    """Host and viewer are at the web process that is short of them; the bystander comes when they are back."""
    links = parlance.create_meeting()
    few = ["prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}"]
    with second_web(parlance, prefix=few) as (web, port), only_these_die(parlance, others=[web]):
        there = MeetingLinks(links.id, links.host_token, links.join_token, port)
        async with LiveMeeting(there, clip.frames) as meeting:
            await meeting.sent(SOON)
            await meeting.read_on()
            with idle_connections(port, IDLE):
                await meeting.read_on(READS)
            await snapshot_when_let_in(there)
            assert_same(await meeting.end(), clip.captions)
            assert meeting.reader.connections == 1
            assert "degraded" not in meeting.told()
