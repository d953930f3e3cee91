"""A worker beside deletions: of the meeting that it is closing at that very moment too."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
from django.utils import timezone

from meetings.broker.audio_log import AudioEntry, AudioLog, audio_key
from meetings.export import results
from meetings.models import Meeting, State, Tombstone
from meetings.store import recordings, tombstones
from meetings.worker import erasure, finalize
from meetings.worker.erasure import ErasureJob
from tests.live import load_pcm
from tests.meetings.worker.test_worker import speak, until, until_async, working

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def pcm() -> bytes:
    return load_pcm(Path(__file__).parents[2] / "speech" / "lobster_24s.flac")[: 10 * 32_000]


def sounds(meeting_id: str) -> list[str]:
    return sorted(path.name for path in recordings.folder().glob(f"{meeting_id}.*"))


@pytest.mark.parametrize("moment", ["before", "within", "after"])
async def test_a_meeting_that_is_deleted_while_it_closes_leaves_no_sound(
    broker: redis.asyncio.Redis, pcm: bytes, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """The worker writes and finishes its recording, not knowing that the row, and the sound so far, are gone."""
    meeting = await Meeting.objects.acreate(title="Plan", keep_recording=True)
    meeting_id, log = meeting.pk, AudioLog(broker)
    deleted = asyncio.Event()
    loop = asyncio.get_running_loop()

    def delete() -> None:
        Meeting.objects.filter(pk=meeting_id).delete()
        loop.call_soon_threadsafe(deleted.set)

    delete_at(moment, delete, monkeypatch)
    await speak(broker, meeting, pcm)
    await log.mark(meeting_id, "end")
    async with working(broker):
        await asyncio.wait_for(deleted.wait(), 20)
        await until_async(log.active, [])
        await until(is_cleared)
        assert await asyncio.to_thread(sounds, meeting_id) == []
        assert [key for key in await broker.keys("*") if meeting_id.encode() in key] == []


def is_cleared() -> bool:
    """The worker has looked after the tombstone, and will do so again when nobody can be writing any more."""
    return Tombstone.objects.filter(attempts=0, not_before__gt=timezone.now() + tombstones.LATE / 2).exists()


def delete_at(moment: str, delete: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the recording is made whole, while it is, or when the meeting is about to be over."""
    finish, flac_path = recordings.finish, recordings.flac_path
    if moment == "after":

        async def end(*arguments: Any) -> None:
            await asyncio.to_thread(delete)
            await _real_end(*arguments)

        _real_end = finalize.FinalizeStep._forget
        monkeypatch.setattr(finalize.FinalizeStep, "_forget", end)
        return

    def finish_late(meeting_id: str) -> Path | None:
        if moment == "before":
            raw = recordings.raw_path(meeting_id).read_bytes()
            delete()
            recordings.write(meeting_id, [AudioEntry(b"1-0", 0, raw)])  # what was on its way
            return finish(meeting_id)
        delete_once = [delete]

        def path(meeting_id: str) -> Path:
            if delete_once:
                delete_once.pop()()
            return flac_path(meeting_id)

        with monkeypatch.context() as within:
            within.setattr(recordings, "flac_path", path)
            return finish(meeting_id)

    monkeypatch.setattr(finalize.recordings, "finish", finish_late)


async def test_sound_that_comes_much_later_goes_too(broker: redis.asyncio.Redis) -> None:
    """Of a worker or host that had not heard of it for an hour."""
    meeting = await Meeting.objects.acreate(title="Plan", keep_recording=True)
    meeting_id = meeting.pk
    await Meeting.objects.filter(pk=meeting_id).adelete()
    await Tombstone.objects.aupdate(not_before=timezone.now())
    await ErasureJob().turn()
    log = AudioLog(broker)
    await log.claim(meeting_id, "page", takeover=False, cursor=0)
    await log.append(meeting_id, "page", 0, bytes(3_200))
    await asyncio.to_thread(recordings.write, meeting_id, [AudioEntry(b"1-0", 0, bytes(3_200))])
    await ErasureJob().turn()
    assert len(await asyncio.to_thread(sounds, meeting_id)) == 1, "not before its time"
    wanted = int(await broker.get("parlance:erasure:wanted") or 0)
    await Tombstone.objects.aupdate(not_before=timezone.now(), created_at=timezone.now() - tombstones.LATE)
    await ErasureJob().turn()
    assert await asyncio.to_thread(sounds, meeting_id) == []
    assert await broker.exists(audio_key(meeting_id)) == 0
    assert int(await broker.get("parlance:erasure:wanted") or 0) == wanted + 1, "and leaves the broker's file"
    assert not await Tombstone.objects.aexists()


async def test_one_that_cannot_be_cleared_is_put_off_by_itself(
    broker: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    odd, *well = [await Meeting.objects.acreate(title=title, state=State.ENDED) for title in ("One", "Two", "Three")]
    ids, odd_id = [meeting.pk for meeting in well], odd.pk
    await asyncio.to_thread(Meeting.objects.all().delete)
    deleted: list[str] = []

    def delete(meeting_id: str, storage: Any) -> None:
        if meeting_id == odd_id:
            raise ZeroDivisionError
        deleted.append(meeting_id)

    monkeypatch.setattr(erasure.results, "delete", delete)
    for attempts in (1, 2):
        await Tombstone.objects.filter(pk=odd_id).aupdate(not_before=timezone.now())
        await Tombstone.objects.exclude(pk=odd_id).filter(attempts=0).aupdate(not_before=timezone.now())
        await ErasureJob().turn()
        assert (await Tombstone.objects.aget(pk=odd_id)).attempts == attempts
    assert sorted(deleted) == sorted(2 * ids)
    told = [record.msg for record in caplog.records if "deletion_unfinished" in str(record.msg)]
    assert [(each["meeting"], each["error"], each["again_in_s"]) for each in told] == [
        (odd_id, "ZeroDivisionError", 4.0),
        (odd_id, "ZeroDivisionError", 8.0),
    ]


async def test_what_stops_the_files_does_not_stop_the_sound(
    broker: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise OSError("nobody there")

    await asyncio.to_thread(recordings.write, "gone", [AudioEntry(b"1-0", 0, bytes(3_200))])
    await Tombstone.objects.acreate(pk="gone")
    monkeypatch.setattr(results, "delete", away)
    await ErasureJob().turn()
    assert await asyncio.to_thread(sounds, "gone") == []
    assert (await Tombstone.objects.aget()).attempts == 1
