"""An uploaded recording from its first chunk to its transcript, with scripted models."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import redis.asyncio
import soundfile

from inference.asr import DecodeRequest, Hypothesis
from inference.audio import SAMPLE_RATE, decode_file, float_to_pcm16
from meetings.audio.audiolog import AudioLog, audio_key
from meetings.models import Caption, Meeting, State, Upload, UploadFailure, UploadState
from meetings.uploading import chunks, uploads
from tests.inference.doubles import ScriptedTranscriber
from tests.meetings.workers.test_worker import speak, state_of, texts, until, working

pytestmark = pytest.mark.django_db(transaction=True)

CLIP = Path(__file__).parents[2] / "speech" / "lobster_24s.flac"


@pytest.fixture(autouse=True)
def no_files_left() -> Iterator[None]:
    yield
    for file in chunks.folder().glob("*"):
        file.unlink()


def uploaded(content: bytes, title: str = "clip.flac", **fields: object) -> Meeting:
    """A meeting whose recording has arrived whole."""
    meeting = Meeting(title=title, **fields)
    uploads.begin(meeting, uploads.Announced(title, len(content), 0))
    for offset in range(0, len(content), chunks.MAX_CHUNK):
        chunks.append(meeting.pk, content[offset : offset + chunks.MAX_CHUNK], offset=offset, size=len(content))
    uploads.finish_receiving(meeting.pk)
    return meeting


def upload_of(meeting: Meeting) -> Upload:
    return Upload.objects.get(pk=meeting.pk)


def said(meeting: Meeting) -> list[tuple[str, str, float, float]]:
    rows = Caption.objects.filter(meeting=meeting).order_by("start")
    return list(rows.values_list("segment", "text", "start", "end"))


def is_done(meeting: Meeting) -> bool:
    return upload_of(meeting).state in (UploadState.READY, UploadState.FAILED)


class TestChunks:
    @pytest.fixture
    def meeting(self) -> Meeting:
        meeting = Meeting(title="Budget")
        uploads.begin(meeting, uploads.Announced("budget.wav", 10, 0))
        return meeting

    def test_arrive_in_order(self, meeting: Meeting) -> None:
        assert chunks.append(meeting.pk, b"01234", offset=0, size=10) == 5
        assert chunks.append(meeting.pk, b"56789", offset=5, size=10) == 10
        assert chunks.path(meeting.pk).read_bytes() == b"0123456789"

    def test_one_that_came_before_is_not_written_twice(self, meeting: Meeting) -> None:
        chunks.append(meeting.pk, b"01234", offset=0, size=10)
        with pytest.raises(chunks.WrongOffset) as refused:
            chunks.append(meeting.pk, b"01234", offset=0, size=10)
        assert (refused.value.received, chunks.received(meeting.pk)) == (5, 5)

    def test_one_that_was_damaged_on_its_way_is_refused(self, meeting: Meeting) -> None:
        checksum = base64.b64encode(hashlib.sha256(b"01234").digest()).decode()
        with pytest.raises(chunks.ChunkDamaged):
            chunks.append(meeting.pk, b"01235", offset=0, size=10, checksum=checksum)
        assert chunks.append(meeting.pk, b"01234", offset=0, size=10, checksum=checksum) == 5

    def test_more_than_was_announced_is_refused(self, meeting: Meeting) -> None:
        with pytest.raises(chunks.ChunkTooLarge):
            chunks.append(meeting.pk, b"0" * 11, offset=0, size=10)
        assert chunks.received(meeting.pk) == 0

    def test_two_requests_do_not_write_at_once(self, meeting: Meeting) -> None:
        with chunks._alone(meeting.pk), pytest.raises(chunks.Occupied):
            chunks.append(meeting.pk, b"01234", offset=0, size=10)

    def test_a_disk_that_is_nearly_full_is_left_to_the_captions(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(chunks, "RESERVE", 1 << 62)
        with pytest.raises(chunks.DiskFull):
            uploads.begin(Meeting(title="Budget"), uploads.Announced("budget.wav", 10, 0))
        assert Meeting.objects.count() == 0


async def test_an_upload_has_the_captions_of_the_same_sound_spoken_live(broker: redis.asyncio.Redis) -> None:
    live = await Meeting.objects.acreate(title="Spoken")
    samples = np.concatenate(list(decode_file(CLIP)))
    await speak(broker, live, float_to_pcm16(samples))
    await AudioLog(broker).mark(live.pk, "end")
    meeting = await asyncio.to_thread(uploaded, CLIP.read_bytes())
    async with working(broker):
        await until(lambda: state_of(live) == State.ENDED and is_done(meeting), seconds=60)
    assert await asyncio.to_thread(said, meeting) == await asyncio.to_thread(said, live)
    upload = await asyncio.to_thread(upload_of, meeting)
    assert (upload.state, upload.seconds) == (UploadState.READY, len(samples) / SAMPLE_RATE)
    assert not chunks.path(meeting.pk).exists(), "it is not needed any more"
    assert [key for key in await broker.keys("*") if meeting.pk.encode() in key] == []


HALT_S = 120
"""Two minutes of nearly five: more than a worker reads ahead is left."""


class HaltingTranscriber(ScriptedTranscriber):
    """Hears nothing after HALT_S before it `may_go_on`."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go_on = threading.Event()

    def transcribe(self, requests: Sequence[DecodeRequest]) -> list[Hypothesis]:
        if any(request.start > HALT_S * SAMPLE_RATE for request in requests):
            assert self.may_go_on.wait(60)
        return super().transcribe(requests)


async def begin(broker: redis.asyncio.Redis, meeting: Meeting) -> None:
    """A first worker, which stops in the middle of the recording."""
    transcriber = HaltingTranscriber()
    async with working(broker, "first", transcriber=lambda: transcriber) as worker:
        await until(lambda: len(texts(meeting)) >= 3, seconds=60)
        worker.stop()
        transcriber.may_go_on.set()
    assert await asyncio.to_thread(state_of, meeting) != State.ENDED


async def test_a_second_worker_goes_on_where_the_first_one_stopped(broker: redis.asyncio.Redis, tmp_path: Path) -> None:
    """Twelve times the clip: more than a worker reads ahead."""
    samples = np.tile(np.concatenate(list(decode_file(CLIP))), 12)
    soundfile.write(tmp_path / "long.flac", samples, SAMPLE_RATE)
    content = (tmp_path / "long.flac").read_bytes()
    twin = await asyncio.to_thread(uploaded, content, "Undisturbed")
    async with working(broker):
        await until(lambda: is_done(twin), seconds=60)
    meeting = await asyncio.to_thread(uploaded, content)
    await begin(broker, meeting)
    async with working(broker, "second"):
        await until(lambda: is_done(meeting), seconds=60)
    assert await asyncio.to_thread(said, meeting) == await asyncio.to_thread(said, twin)


async def test_a_broker_that_lost_everything_costs_an_upload_nothing(
    broker: redis.asyncio.Redis, tmp_path: Path
) -> None:
    twin = await asyncio.to_thread(uploaded, CLIP.read_bytes(), "Undisturbed")
    async with working(broker):
        await until(lambda: is_done(twin), seconds=60)
    samples = np.tile(np.concatenate(list(decode_file(CLIP))), 12)
    soundfile.write(tmp_path / "long.flac", samples, SAMPLE_RATE)
    meeting = await asyncio.to_thread(uploaded, (tmp_path / "long.flac").read_bytes())
    await begin(broker, meeting)
    await broker.flushall()
    async with working(broker, "second"):
        await until(lambda: is_done(meeting), seconds=60)
    ended = await Meeting.objects.aget(pk=meeting.pk)
    assert (ended.missing_s, ended.cursor) == (0.0, len(samples))
    assert (await asyncio.to_thread(texts, meeting))[:3] == (await asyncio.to_thread(texts, twin))[:3]


async def test_the_log_never_holds_much_more_than_what_is_captioned(
    broker: redis.asyncio.Redis, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "long.flac", np.zeros(300 * SAMPLE_RATE), SAMPLE_RATE)
    meeting = await asyncio.to_thread(uploaded, (tmp_path / "long.flac").read_bytes())
    longest = 0
    async with working(broker):
        while not await asyncio.to_thread(is_done, meeting):
            longest = max(longest, await broker.xlen(audio_key(meeting.pk)))
    assert 60 <= longest <= 140, "entries of a second: a minute heard again, and a minute ahead"


@pytest.mark.parametrize("content", [b"hello, I am text\n" * 50, b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"])
async def test_what_is_no_recording_fails_with_a_sentence(broker: redis.asyncio.Redis, content: bytes) -> None:
    meeting = await asyncio.to_thread(uploaded, content)
    async with working(broker):
        await until(lambda: is_done(meeting) and state_of(meeting) == State.ENDED)
    upload = await asyncio.to_thread(upload_of, meeting)
    assert (upload.state, upload.failure) == (UploadState.FAILED, UploadFailure.UNREADABLE)
    assert uploads.sentence(upload) == "There is no sound in this file that can be read. Is it a recording?"
    assert chunks.path(meeting.pk).read_bytes() == content, "nothing is thrown away that did not work out"


async def test_a_file_that_is_gone_is_told(broker: redis.asyncio.Redis) -> None:
    meeting = await asyncio.to_thread(uploaded, CLIP.read_bytes())
    chunks.delete(meeting.pk)
    async with working(broker):
        await until(lambda: is_done(meeting))
    assert (await asyncio.to_thread(upload_of, meeting)).failure == UploadFailure.MISSING


async def test_a_file_that_ends_the_worker_is_not_opened_for_ever(broker: redis.asyncio.Redis) -> None:
    meeting = await asyncio.to_thread(uploaded, CLIP.read_bytes())
    await Upload.objects.filter(pk=meeting.pk).aupdate(attempts=uploads.MAX_ATTEMPTS)
    async with working(broker):
        await until(lambda: is_done(meeting))
    assert (await asyncio.to_thread(upload_of, meeting)).failure == UploadFailure.UNREADABLE


async def test_deleting_the_meeting_deletes_the_upload(broker: redis.asyncio.Redis) -> None:
    meeting = await asyncio.to_thread(uploaded, CLIP.read_bytes())
    await Meeting.objects.all().adelete()
    assert not chunks.path(meeting.pk).exists()
    assert await Upload.objects.acount() == 0
