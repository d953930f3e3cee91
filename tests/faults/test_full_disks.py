"""A disk that has no room left, the database's, the broker's or the recordings', and gets some again."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import soundfile

from tests.faults.meeting import MID_SENTENCE, Clip, LiveMeeting
from tests.faults.privileges import Capability, require, run
from tests.faults.processes import only_these_die
from tests.live import RunningParlance
from tests.meetings.test_nothing_lost import assert_same
from tests.staged import until

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("faults"), pytest.mark.timeout(900)]


class SmallDisk:
    """A file system of a few megabytes."""

    def __init__(self, path: Path) -> None:
        self._filler = path / "filler"

    def fill(self) -> None:
        with self._filler.open("ab", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))

    def free(self) -> None:
        self._filler.unlink()


@contextmanager
def small_disk(path: Path, *, megabytes: int) -> Iterator[SmallDisk]:
    """At that place."""
    require("mounting a small file system", Capability.SYS_ADMIN)
    path.mkdir(parents=True, exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "tmpfs", str(path))
    try:
        yield SmallDisk(path)
    finally:
        run("umount", "--lazy", str(path))


@dataclass(frozen=True, slots=True)
class Disks:
    """One for each that writes."""

    database: SmallDisk
    broker: SmallDisk
    recordings: SmallDisk


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("disks")


@pytest.fixture(scope="module")
def disks(folder: Path) -> Iterator[Disks]:
    with (
        small_disk(folder / "database", megabytes=16) as database,
        small_disk(folder / "data" / "broker", megabytes=24) as broker,
        small_disk(folder / "data" / "recordings", megabytes=6) as recordings,
    ):
        yield Disks(database, broker, recordings)


@pytest.fixture(scope="module")
def database(folder: Path) -> Path:
    return folder / "database" / "parlance.sqlite3"


@pytest.fixture(scope="module")
def parlance(captions_alone: dict[str, str], disks: Disks, folder: Path, database: Path) -> Iterator[RunningParlance]:
    running = RunningParlance(folder / "data", environment={**captions_alone, "DATABASE_URL": f"sqlite:///{database}"})
    running.start()
    try:
        yield running
    finally:
        assert running.stop() == 0


async def test_a_full_disk_of_the_database_is_told_of_and_loses_nothing(
    parlance: RunningParlance, disks: Disks, clip: Clip
) -> None:
    with only_these_die(parlance):
        async with LiveMeeting(parlance.create_meeting(), clip.frames) as meeting:
            await meeting.sent(MID_SENTENCE)
            await meeting.read_on()
            began = time.monotonic()
            disks.database.fill()
            await meeting.be_told("degraded", since=began)
            disks.database.free()
            await meeting.read_on()
            assert_same(await meeting.end(), clip.captions)
            assert meeting.reader.connections == 1


async def test_a_full_disk_of_the_broker_is_told_of_and_loses_nothing(
    parlance: RunningParlance, disks: Disks, clip: Clip
) -> None:
    """The broker ends, and cannot start again before there is room; the host keeps what is not acknowledged."""
    with only_these_die(parlance, "valkey-server"):
        async with LiveMeeting(parlance.create_meeting(), clip.frames) as meeting:
            await meeting.sent(MID_SENTENCE)
            await meeting.read_on()
            began = time.monotonic()
            disks.broker.fill()
            await meeting.be_told("degraded", since=began)
            disks.broker.free()
            await meeting.read_on()
            assert_same(await meeting.end(), clip.captions)
            assert meeting.reader.connections == 1


async def test_a_full_disk_of_the_recordings_holds_up_no_caption_and_the_recording_is_whole(
    parlance: RunningParlance, disks: Disks, clip: Clip, folder: Path, database: Path
) -> None:
    links = parlance.create_meeting()
    with closing(sqlite3.connect(database, timeout=60)) as rows, rows:
        rows.execute("UPDATE meetings_meeting SET keep_recording = 1 WHERE id = ?", [links.id])
    recording = folder / "data" / "recordings" / f"{links.id}.flac"
    with only_these_die(parlance):
        async with LiveMeeting(links, clip.frames) as meeting:
            await meeting.sent(MID_SENTENCE)
            await meeting.read_on()
            disks.recordings.fill()
            assert_same(await meeting.end(), clip.captions)
            assert "degraded" not in meeting.told()
            assert not recording.exists()
            disks.recordings.free()
            await until(recording.exists)
    samples, _ = soundfile.read(recording, dtype="int16")
    assert samples.astype("<i2").tobytes() == b"".join(clip.frames)
