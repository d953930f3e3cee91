"""Whatever dies, the transcript is the one of an undisturbed run. Real processes, real models, real kills.

Speakers and translation are there where everything dies; elsewhere workers that are killed load Whisper alone again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from tests.live import Host, MeetingLinks, Message, Reader, RunningParlance, frames_of, load_pcm, running_parlance

pytestmark = pytest.mark.xdist_group("processes")

SPEED = 3.0
"""Times real time: below the server's limit, so that nothing but the fault disturbs the run."""

MID_SENTENCE = 95
"""Frame: 9.5 s into the clip a sentence is being spoken."""


@pytest.fixture(scope="module")
def frames(speech: Path) -> list[bytes]:
    return frames_of(load_pcm(speech / "lobster_24s.flac"))


@pytest.fixture(scope="module")
def undisturbed(parlance: RunningParlance, frames: list[bytes]) -> list[Message]:
    transcript = asyncio.run(run_meeting(parlance, frames))
    assert len(transcript) >= 4, "the clip holds four sentences: a fault needs something to lose"
    return transcript


async def run_meeting(
    parlance: RunningParlance,
    frames: list[bytes],
    *,
    faults: dict[int, Callable[[Host], Awaitable[None]]] | None = None,
) -> list[Message]:
    """Plays the clip while a viewer watches; `faults` happen when their frame is acknowledged.

    Returns the viewer's transcript, after checking that a newcomer gets the same.
    """
    links = parlance.create_meeting()
    host, reader = Host(links, frames, speed=SPEED), Reader(links)
    for frame, fault in (faults or {}).items():
        host.on_acked[frame] = lambda fault=fault: fault(host)
    watching = asyncio.create_task(reader.watch())
    await asyncio.wait_for(host.play(), 120)
    await asyncio.wait_for(watching, 30)
    await assert_newcomer_agrees(links, reader)
    return reader.transcript()


async def assert_newcomer_agrees(links: MeetingLinks, reader: Reader) -> None:
    assert await Reader(links).snapshot() == reader.transcript()


def assert_same(transcript: list[Message], expected: list[Message]) -> None:
    """Same captions, same order, same times; `seq` and `revision` tell how they came, not what they say."""
    assert [caption["text"] for caption in transcript] == [caption["text"] for caption in expected]
    assert [caption["segment"] for caption in transcript] == [caption["segment"] for caption in expected]
    for caption, twin in zip(transcript, expected, strict=True):
        assert caption["start"] == pytest.approx(twin["start"], abs=0.1)
        assert caption["end"] == pytest.approx(twin["end"], abs=0.1)


def killing(parlance: RunningParlance, name: str) -> Callable[[Host], Awaitable[None]]:
    async def kill(host: Host) -> None:
        parlance.process(name).kill()

    return kill


@pytest.mark.parametrize("victim", ["inference", "web", "valkey-server"])
def test_a_killed_process_loses_nothing(
    parlance: RunningParlance, frames: list[bytes], undisturbed: list[Message], victim: str
) -> None:
    faults = {MID_SENTENCE: killing(parlance, victim)}
    assert_same(asyncio.run(run_meeting(parlance, frames, faults=faults)), undisturbed)


@pytest.mark.long
def test_everything_killed_at_once_loses_nothing(whisper_base: Path, frames: list[bytes]) -> None:
    async def kill_all(host: Host) -> None:
        for name in ("valkey-server", "inference", "web"):
            parlance.process(name).kill()

    with running_parlance() as parlance:
        undisturbed = asyncio.run(run_meeting(parlance, frames))
        transcript = asyncio.run(run_meeting(parlance, frames, faults={MID_SENTENCE: kill_all}))
    assert_same(transcript, undisturbed)


@pytest.mark.long
def test_a_worker_killed_again_and_again_loses_nothing(
    parlance: RunningParlance, frames: list[bytes], undisturbed: list[Message]
) -> None:
    faults = {frame: killing(parlance, "inference") for frame in (40, 200)}
    transcript = asyncio.run(run_meeting(parlance, frames, faults=faults))
    assert_same(transcript, undisturbed)


@pytest.mark.long
def test_a_full_disk_loses_nothing(
    small_disk: Path, frames: list[bytes], undisturbed: list[Message], whisper_alone: Path
) -> None:
    """Broker and database both refuse; the host keeps what is not acknowledged until there is room again."""
    parlance = RunningParlance(small_disk, environment={"PARLANCE_MODELS_DIR": str(whisper_alone)})
    filler = small_disk / "filler"

    async def fill_then_free(host: Host) -> None:
        def free() -> None:
            filler.unlink(missing_ok=True)

        # Whichever comes first: the disk is looked at, or the broker has ended on it.
        host.on_refused.update(storage_full=free, storage_unavailable=free)
        fill_up(filler)

    parlance.start()
    try:
        transcript = asyncio.run(run_meeting(parlance, frames, faults={MID_SENTENCE: fill_then_free}))
    finally:
        assert parlance.stop() == 0
    assert_same(transcript, undisturbed)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB: what the data folder of a short meeting fills with a little help."""
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m,mode=700", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if mount.returncode:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("mounting a small file system needs root")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def fill_up(path: Path) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY)
    with contextlib.suppress(OSError):
        while True:
            os.write(descriptor, bytes(4096))
    os.close(descriptor)


def test_a_cut_host_link_loses_nothing(
    parlance: RunningParlance, frames: list[bytes], undisturbed: list[Message]
) -> None:
    async def cut(host: Host) -> None:
        assert host.socket is not None
        host.socket.transport.abort()

    transcript = asyncio.run(run_meeting(parlance, frames, faults={30: cut, MID_SENTENCE: cut, 180: cut}))
    assert_same(transcript, undisturbed)
