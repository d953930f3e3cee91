"""Transcripts as files: in a folder, and in a bucket of a real S3 server (moto's), which may be away."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
from django.core.files.base import ContentFile

from meetings.files import results
from meetings.files.exports import FORMATS, render_transcript
from meetings.files.storages import FolderStorage, open_storage, storage_errors
from meetings.models import DiscardedResults, Meeting, State, Upload
from meetings.workers import archiving
from meetings.workers.archiving import Archiving
from tests.meetings.s3 import BUCKET, S3Server, s3_server

pytestmark = pytest.mark.django_db(transaction=True)

Configure = Callable[..., None]


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def configure(settings: Any, tmp_path: Path) -> Configure:
    """Other results settings, over a data folder of the test's own."""

    def set_up(**fields: Any) -> None:
        settings.ENVIRONMENT = replace(settings.ENVIRONMENT, data=tmp_path, **fields)

    return set_up


@pytest.fixture
def bucket(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    return s3


def ended(*, is_upload: bool = True) -> Meeting:
    meeting = Meeting.objects.create(title="Budget", state=State.ENDED, last_seq=1)
    meeting.captions.create(segment="0", utterance="0", seq=1, start=0, end=1, language="en", text="Olá, João.")
    if is_upload:
        Upload.objects.create(meeting=meeting, name="budget.wav", size=1)
    return meeting


def expected(meeting: Meeting) -> dict[str, bytes]:
    return {f"{meeting.pk}/transcript.{name}": render_transcript(meeting, name).content for name in FORMATS}


def stored_in(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


async def test_every_format_is_stored_once_the_meeting_is_over(
    broker: redis.asyncio.Redis, configure: Configure, tmp_path: Path
) -> None:
    configure()
    meeting = await _in_thread(ended)
    await Meeting.objects.acreate(title="Still spoken", state=State.LIVE)
    await Archiving("worker", broker).turn()
    assert stored_in(tmp_path / "results") == await _in_thread(lambda: expected(meeting))
    assert await _in_thread(lambda: results.due(limit=9)) == []


async def test_what_changes_afterwards_is_stored_again(
    broker: redis.asyncio.Redis, configure: Configure, tmp_path: Path
) -> None:
    configure()
    meeting = await _in_thread(ended)
    worker = Archiving("worker", broker)
    await worker.turn()
    await Meeting.objects.filter(pk=meeting.pk).aupdate(title="Plan", last_seq=2)
    await worker.turn()
    assert stored_in(tmp_path / "results")[f"{meeting.pk}/transcript.txt"].startswith(b"Plan\n")


@pytest.mark.parametrize(
    ("results_of", "is_upload", "is_due"),
    [("uploads", True, True), ("uploads", False, False), ("all", False, True), ("none", True, False)],
)
def test_whose_results_are_stored_is_a_setting(
    configure: Configure, results_of: str, is_upload: bool, is_due: bool
) -> None:
    configure(results_of=results_of)
    meeting = ended(is_upload=is_upload)
    assert results.due(limit=9) == ([meeting.pk] if is_due else [])


async def test_results_go_to_a_bucket_and_leave_it_with_their_meeting(
    broker: redis.asyncio.Redis, configure: Configure, bucket: S3Server
) -> None:
    configure(results=f"s3://{BUCKET}/team/a")
    meeting = await _in_thread(ended)
    files = await _in_thread(lambda: expected(meeting))
    worker = Archiving("worker", broker)
    await worker.turn()
    assert bucket.objects() == {f"team/a/{name}": body for name, body in files.items()}
    await Meeting.objects.filter(pk=meeting.pk).adelete()
    await worker.turn()
    assert bucket.objects() == {}
    assert await DiscardedResults.objects.acount() == 0


async def test_a_bucket_that_is_away_is_tried_again(
    broker: redis.asyncio.Redis, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archiving, "SHORTEST_PAUSE_S", 0.0)
    with s3_server() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        configure(results=f"s3://{BUCKET}")
        meeting = await _in_thread(ended)
        server.stop()
        worker = Archiving("worker", broker)
        await worker.turn()
        assert await _in_thread(lambda: results.due(limit=9)) == [meeting.pk]
        server.start()
        await worker.turn()
        assert json.loads(server.objects()[f"{meeting.pk}/transcript.json"])["title"] == "Budget"


async def test_pauses_grow(broker: redis.asyncio.Redis, configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is tried before its time."""
    configure()
    await _in_thread(ended)
    tries: list[float] = []

    def away() -> FolderStorage:
        tries.append(time.monotonic())
        raise OSError("nobody there")

    worker = Archiving("worker", broker, open_results=away)
    await worker.turn()
    await worker.turn()
    assert len(tries) == 1
    monkeypatch.setattr(worker, "_not_before", 0.0)
    await worker.turn()
    assert (len(tries), worker._failures) == (2, 2)
    assert worker._not_before - tries[1] >= 2 * archiving.SHORTEST_PAUSE_S


async def test_one_worker_stores_at_a_time(broker: redis.asyncio.Redis, configure: Configure, tmp_path: Path) -> None:
    configure()
    await Archiving("first", broker).turn()
    await _in_thread(ended)
    await Archiving("second", broker).turn()
    assert not (tmp_path / "results").exists()


def test_a_meeting_deleted_while_it_is_stored_leaves_nothing(configure: Configure, tmp_path: Path) -> None:
    class Deleting(FolderStorage):
        def save(self, *arguments: Any, **named: Any) -> str:
            Meeting.objects.all().delete()
            return super().save(*arguments, **named)

    configure()
    meeting = ended()
    storage = Deleting(location=tmp_path / "results")
    results.store(meeting.pk, storage)
    assert results.discarded(limit=9) == [meeting.pk]
    results.delete(meeting.pk, storage)
    assert stored_in(tmp_path / "results") == {}


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = open_storage(str(tmp_path))
    storage.save("a/b.txt", ContentFile(b"old"))

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(storage_errors(), match="No space left"):
        storage.save("a/b.txt", ContentFile(b"new"))
    assert stored_in(tmp_path) == {"a/b.txt": b"old"}


async def _in_thread(work: Callable[[], Any]) -> Any:
    from asgiref.sync import sync_to_async

    return await sync_to_async(work, thread_sensitive=False)()
