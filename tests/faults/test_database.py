"""A database that is away for half a minute while people speak and read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from tests.faults.causes import locked_database
from tests.faults.meeting import Clip, LiveMeeting
from tests.faults.processes import only_these_die
from tests.live import RunningParlance, running_parlance
from tests.meetings.test_nothing_lost import assert_same
from tests.postgres import Cluster, running_cluster

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("faults"), pytest.mark.timeout(900)]

AWAY_S = 30.0
EARLY = 40
"""Frame: most of the clip is spoken while the database is away."""


class Outlasting:
    """A meeting whose database is away while most of its clip is spoken."""

    def __init__(self, parlance: RunningParlance, clip: Clip) -> None:
        self._parlance = parlance
        self._clip = clip

    async def run(self, away: Callable[[], AbstractContextManager[None]]) -> None:
        """`away` is entered in mid-speech, and left after `AWAY_S`."""
        with only_these_die(self._parlance):
            async with LiveMeeting(self._parlance.create_meeting(), self._clip.frames, speed=1.0) as meeting:
                await meeting.sent(EARLY)
                await meeting.read_on()
                began = time.monotonic()
                with away():
                    await asyncio.sleep(AWAY_S)
                    assert meeting.told(since=began)[:1] == ["degraded"]
                    assert meeting.host.acked > EARLY + 100, "the host speaks on: its words need no database to be kept"
                await meeting.read_on()
                assert_same(await meeting.end(), self._clip.captions)
                assert meeting.reader.connections == 1, "the same screen shows what comes afterwards"


class TestSqlite:
    @pytest.fixture(scope="class")
    def parlance(self, captions_alone: dict[str, str]) -> Iterator[RunningParlance]:
        with running_parlance(environment=captions_alone) as running:
            yield running

    async def test_locked_by_another_program_loses_nothing(self, parlance: RunningParlance, clip: Clip) -> None:
        await Outlasting(parlance, clip).run(lambda: locked_database(parlance))


class TestPostgresql:
    @pytest.fixture(scope="class")
    def cluster(self) -> Iterator[Cluster]:
        with running_cluster() as cluster:
            yield cluster

    @pytest.fixture(scope="class")
    def parlance(self, captions_alone: dict[str, str], cluster: Cluster) -> Iterator[RunningParlance]:
        with running_parlance(environment={**captions_alone, "DATABASE_URL": cluster.url}) as running:
            yield running

    async def test_restarted_loses_nothing(self, parlance: RunningParlance, cluster: Cluster, clip: Clip) -> None:
        """Its connections break, and new ones are refused for a moment."""
        with only_these_die(parlance):
            async with LiveMeeting(parlance.create_meeting(), clip.frames) as meeting:
                await meeting.sent(EARLY)
                await meeting.read_on()
                await asyncio.to_thread(cluster.restart)
                await meeting.read_on()
                assert_same(await meeting.end(), clip.captions)
                assert meeting.reader.connections == 1

    async def test_stopped_for_half_a_minute_loses_nothing(
        self, parlance: RunningParlance, cluster: Cluster, clip: Clip
    ) -> None:
        await Outlasting(parlance, clip).run(cluster.away)
