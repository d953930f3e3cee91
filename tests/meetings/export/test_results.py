"""Transcripts as files: in a folder, and in a bucket of a real S3 server (moto's), which may be away."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
from django.core.files.base import ContentFile
from django.utils import timezone

from meetings.broker.client import broker_url
from meetings.export import results
from meetings.export.formats import FORMATS, render_transcript
from meetings.export.storages import FolderStorage, open_storage, storage_errors
from meetings.models import Meeting, State, Tombstone, Upload, UploadState
from meetings.worker import results as worker_results
from meetings.worker.erasure import ErasureJob
from meetings.worker.results import FAILURES_PER_TURN, ResultsJob
from tests.meetings.s3 import BUCKET, S3Server, s3_server

pytestmark = pytest.mark.django_db(transaction=True)

Configure = Callable[..., None]


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def configure(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Other results settings, over a data folder of the test's own."""

    def set_up(**fields: Any) -> None:
        address = broker_url()
        monkeypatch.setattr("meetings.broker.client.broker_url", lambda: address)
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


async def test_every_format_is_stored_once_the_meeting_is_over(configure: Configure, tmp_path: Path) -> None:
    configure()
    meeting = await _in_thread(ended)
    await Meeting.objects.acreate(title="Still spoken", state=State.LIVE)
    await ResultsJob().turn()
    assert stored_in(tmp_path / "results") == await _in_thread(lambda: expected(meeting))
    assert await _in_thread(lambda: results.due(limit=9)) == []


async def test_what_changes_afterwards_is_stored_again(configure: Configure, tmp_path: Path) -> None:
    configure()
    meeting = await _in_thread(ended)
    worker = ResultsJob()
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


def test_a_recording_that_was_refused_has_no_results(configure: Configure) -> None:
    configure()
    refused, broken_off = ended(), ended()
    Upload.objects.update(state=UploadState.FAILED)
    Meeting.objects.filter(pk=refused.pk).update(last_seq=0)
    assert results.due(limit=9) == [broken_off.pk]


async def test_results_go_to_a_bucket_and_leave_it_with_their_meeting(
    broker: redis.asyncio.Redis, configure: Configure, bucket: S3Server
) -> None:
    configure(results=f"s3://{BUCKET}/team/a")
    meeting = await _in_thread(ended)
    files = await _in_thread(lambda: expected(meeting))
    worker = ResultsJob()
    await worker.turn()
    assert bucket.objects() == {f"team/a/{name}": body for name, body in files.items()}
    await Meeting.objects.filter(pk=meeting.pk).adelete()
    await erase()
    assert bucket.objects() == {}


async def test_a_bucket_that_is_away_is_tried_again(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        configure(results=f"s3://{BUCKET}")
        meeting = await _in_thread(ended)
        server.stop()
        worker = ResultsJob()
        await worker.turn()
        assert await Meeting.objects.filter(results_seq=None, results_attempts=1).aexists()
        await let_time_pass()
        server.start()
        await worker.turn()
        assert json.loads(server.objects()[f"{meeting.pk}/transcript.json"])["title"] == "Budget"
    stored = await Meeting.objects.aget()
    assert (stored.results_attempts, stored.results_not_before) == (0, None)


async def let_time_pass() -> None:
    """Until what is put off is due."""
    await Meeting.objects.exclude(results_not_before=None).aupdate(results_not_before=timezone.now())


class Awkward(FolderStorage):
    """A storage that does not take the files of some meetings, for reasons of its own."""

    def __init__(self, location: Path, refused: dict[str, Exception]) -> None:
        super().__init__(location=location)
        self.refused = refused
        self.asked: list[str] = []

    def save(self, name: str, *arguments: Any, **named: Any) -> str:
        meeting_id = name.partition("/")[0]
        if not self.asked or self.asked[-1] != meeting_id:
            self.asked.append(meeting_id)
        if meeting_id in self.refused:
            raise self.refused[meeting_id]
        return super().save(name, *arguments, **named)


async def test_one_that_cannot_be_stored_is_put_off_by_itself(
    configure: Configure, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A name that the storage refuses, and an error of ours: the others are stored, in the same turn."""
    configure()
    odd, broken, *well = [await _in_thread(ended) for _ in range(5)]
    storage = Awkward(tmp_path / "results", {odd.pk: OSError("no such name"), broken.pk: ZeroDivisionError()})
    worker = ResultsJob(open_results=lambda: storage)
    for _ in range(3):
        await worker.turn()
        await let_time_pass()
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == sorted(meeting.pk for meeting in well)
    assert len(storage.asked) == 3 + 3 * 2, "what is stored is not stored again"
    told = [record.msg for record in caplog.records if "results_not_stored" in str(record.msg)]
    for meeting, error in ((odd, "OSError"), (broken, "ZeroDivisionError")):
        about = [(each["error"], each["again_in_s"]) for each in told if each["meeting"] == meeting.pk]
        assert about == [(error, 4.0), (error, 8.0), (error, 16.0)]
        assert [each["meeting"] for each in told if "where" in each] == 3 * [broken.pk]


async def test_what_is_put_off_waits(configure: Configure, tmp_path: Path) -> None:
    configure()
    meeting = await _in_thread(ended)
    storage = Awkward(tmp_path / "results", {meeting.pk: OSError("no room")})
    worker = ResultsJob(open_results=lambda: storage)
    for _ in range(3):
        await worker.turn()
    assert storage.asked == [meeting.pk]


async def test_a_storage_that_takes_nothing_is_not_asked_for_every_meeting(
    configure: Configure, tmp_path: Path
) -> None:
    configure()
    meetings = [await _in_thread(ended) for _ in range(FAILURES_PER_TURN + 2)]
    storage = Awkward(tmp_path / "results", {meeting.pk: OSError("nobody there") for meeting in meetings})
    await ResultsJob(open_results=lambda: storage).turn()
    assert len(storage.asked) == FAILURES_PER_TURN
    assert await Meeting.objects.filter(results_attempts=0).acount() == 2


async def test_many_meetings_are_not_looked_through_all_the_time(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []

    def look_long(*, limit: int) -> list[str]:
        looks.append(clock.now)
        clock.now += 0.5
        return []

    class Clock:
        now = 1_000.0

        def monotonic(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr(worker_results, "time", clock)
    monkeypatch.setattr(results, "due", look_long)
    worker = ResultsJob()
    for _ in range(30):
        await worker.turn()
        clock.now += worker_results.RESULTS_POLL_S
    assert len(looks) == 3
    assert [later - earlier for earlier, later in itertools.pairwise(looks)] == [26.5, 26.5]


async def test_one_of_several_workers_stores_a_meeting(configure: Configure, tmp_path: Path) -> None:
    configure()
    meeting = await _in_thread(ended)
    assert await _in_thread(lambda: results.claim(meeting.pk)) == 1
    assert await _in_thread(lambda: results.due(limit=9)) == []
    await ResultsJob().turn()
    assert not (tmp_path / "results").exists()
    await let_time_pass()  # the one that claimed it has died
    assert await _in_thread(lambda: results.claim(meeting.pk)) == 2


async def test_a_meeting_deleted_while_it_is_stored_leaves_nothing(
    broker: redis.asyncio.Redis, configure: Configure, tmp_path: Path
) -> None:
    class Deleting(FolderStorage):
        def save(self, *arguments: Any, **named: Any) -> str:
            Meeting.objects.all().delete()
            return super().save(*arguments, **named)

    configure()
    meeting = await _in_thread(ended)
    storage = Deleting(location=tmp_path / "results")
    await ResultsJob(open_results=lambda: storage).turn()
    assert stored_in(tmp_path / "results") != {}
    await erase()
    assert stored_in(tmp_path / "results") == {}
    assert (await Tombstone.objects.aget()).pk == meeting.pk


async def erase() -> None:
    """What a worker does some seconds after a deletion."""
    await Tombstone.objects.aupdate(not_before=timezone.now())
    await ErasureJob().turn()


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
