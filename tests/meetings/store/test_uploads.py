"""An uploaded recording from its first chunk to its transcript, with scripted models."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import redis.asyncio
import soundfile
from django.contrib.auth.models import User
from django.db import connection
from structlog.testing import capture_logs

from inference.audio import SAMPLE_RATE, UnreadableAudioError, decode_file, float_to_pcm16, pcm16_to_float
from inference.media import process
from inference.media.protocol import Reason
from inference.media.sandbox import Limits
from inference.speech.asr import DecodeRequest, Hypothesis
from inference.speech.engine import Engine
from inference.speech.recorded_file import RecordedFile
from inference.speech.recording import caption_recording
from inference.speech.session import CaptionSession, SessionConfig
from inference.types import FinalCaption
from meetings.broker.audio_log import Appended, AudioLog, audio_key
from meetings.environment import Environment
from meetings.models import Caption, Meeting, Stage, State, Upload, UploadFailure, UploadState
from meetings.store import stage_failures, upload_files, uploads
from meetings.worker import recording_scheduler
from meetings.worker import uploads as worker_uploads
from meetings.worker.assignment import open_stream
from meetings.worker.file_reader import FileReader
from meetings.worker.worker import Worker
from tests import recordings
from tests.inference.doubles import ScriptedTranscriber
from tests.live import load_pcm
from tests.meetings.worker.test_worker import speak, state_of, texts, until, until_async, working

pytestmark = pytest.mark.django_db(transaction=True)

CLIP = Path(__file__).parents[2] / "speech" / "lobster_24s.flac"


@pytest.fixture(autouse=True)
def no_files_left() -> Iterator[None]:
    yield
    for file in upload_files.folder().glob("*"):
        file.unlink()


def uploaded(
    content: bytes,
    title: str = "clip.flac",
    announced: uploads.Announced | None = None,
    *,
    is_awaited: bool = False,
    **fields: object,
) -> Meeting:
    """A meeting whose recording has arrived whole."""
    meeting = Meeting(title=title, **fields)
    uploads.begin(meeting, announced or uploads.Announced(title, len(content), 0), is_awaited=is_awaited)
    for offset in range(0, len(content), upload_files.MAX_CHUNK):
        upload_files.append(
            meeting.pk, content[offset : offset + upload_files.MAX_CHUNK], offset=offset, size=len(content)
        )
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
        assert upload_files.append(meeting.pk, b"01234", offset=0, size=10) == 5
        assert upload_files.append(meeting.pk, b"56789", offset=5, size=10) == 10
        assert upload_files.path(meeting.pk).read_bytes() == b"0123456789"

    def test_one_that_came_before_is_not_written_twice(self, meeting: Meeting) -> None:
        upload_files.append(meeting.pk, b"01234", offset=0, size=10)
        with pytest.raises(upload_files.WrongOffset) as refused:
            upload_files.append(meeting.pk, b"01234", offset=0, size=10)
        assert (refused.value.received, upload_files.received(meeting.pk)) == (5, 5)

    def test_one_that_was_damaged_on_its_way_is_refused(self, meeting: Meeting) -> None:
        checksum = base64.b64encode(hashlib.sha256(b"01234").digest()).decode()
        with pytest.raises(upload_files.ChunkDamaged):
            upload_files.append(meeting.pk, b"01235", offset=0, size=10, checksum=checksum)
        assert upload_files.append(meeting.pk, b"01234", offset=0, size=10, checksum=checksum) == 5

    def test_more_than_was_announced_is_refused(self, meeting: Meeting) -> None:
        with pytest.raises(upload_files.ChunkTooLarge):
            upload_files.append(meeting.pk, b"0" * 11, offset=0, size=10)
        assert upload_files.received(meeting.pk) == 0

    def test_two_requests_do_not_write_at_once(self, meeting: Meeting) -> None:
        with upload_files._alone(meeting.pk), pytest.raises(upload_files.Occupied):
            upload_files.append(meeting.pk, b"01234", offset=0, size=10)

    def test_a_whole_chunk_or_nothing_is_written_to_a_disk_that_fills(
        self, meeting: Meeting, disk: Callable[[int], None]
    ) -> None:
        """Room was there when the file was announced; since then somebody else has taken it."""
        assert upload_files.append(meeting.pk, b"01234", offset=0, size=10) == 5
        disk(upload_files.DISK_RESERVE + 4)
        with pytest.raises(upload_files.DiskFull):
            upload_files.append(meeting.pk, b"56789", offset=5, size=10)
        assert upload_files.received(meeting.pk) == 5
        disk(upload_files.DISK_RESERVE + 5)
        assert upload_files.append(meeting.pk, b"56789", offset=5, size=10) == 10


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets how much of the disk is free."""

    def free(size: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1 << 62, 0, size))

    return free


class TestRoom:
    """What is announced is reserved: the disk is the captions' too."""

    def announce(self, size: int, owner: User | None = None) -> Upload:
        return uploads.begin(Meeting(title="Budget", owner=owner), uploads.Announced("budget.wav", size, 0))

    def test_a_disk_that_is_nearly_full_is_left_to_the_captions(self, disk: Callable[[int], None]) -> None:
        disk(upload_files.DISK_RESERVE + 9)
        with pytest.raises(upload_files.DiskFull):
            self.announce(10)
        assert Meeting.objects.count() == 0

    def test_several_do_not_get_the_same_room(self, disk: Callable[[int], None]) -> None:
        disk(upload_files.DISK_RESERVE + 25)
        self.announce(10)
        second = self.announce(10)
        with pytest.raises(upload_files.DiskFull):
            self.announce(10)
        assert uploads.outstanding() == 20
        second.meeting.delete()
        self.announce(10)

    def test_what_has_arrived_is_reserved_no_more(self, disk: Callable[[int], None]) -> None:
        disk(upload_files.DISK_RESERVE + 100)
        upload = self.announce(10)
        upload_files.append(upload.pk, b"01234", offset=0, size=10)
        assert uploads.outstanding() == 5
        upload_files.append(upload.pk, b"56789", offset=5, size=10)
        uploads.finish_receiving(upload.pk)
        assert uploads.outstanding() == 0

    def test_two_processes_do_not_get_the_same_room(self, disk: Callable[[int], None]) -> None:
        disk(upload_files.DISK_RESERVE + 15)
        outcomes: list[str] = []

        def announce() -> None:
            try:
                self.announce(10)
                outcomes.append("begun")
            except upload_files.DiskFull:
                outcomes.append("refused")
            finally:
                connection.close()

        threads = [threading.Thread(target=announce) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["begun", "refused", "refused", "refused"]

    def test_one_host_leaves_room_for_others(self, disk: Callable[[int], None]) -> None:
        """The first file may take all of it. Of what is announced, 60 bytes are taken here."""
        disk(upload_files.DISK_RESERVE + 100)
        ana, bo = User.objects.create_user("ana"), User.objects.create_user("bo")
        self.announce(60, ana)
        with pytest.raises(uploads.TooManyUnfinished, match=r"^Your recordings take most of the room"):
            self.announce(16, ana)
        self.announce(15, ana)
        self.announce(25, bo)

    def test_one_host_has_so_many_at_a_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(uploads, "MOST_UNFINISHED", 2)
        ana, bo = User.objects.create_user("ana"), User.objects.create_user("bo")
        first = self.announce(10, ana)
        self.announce(10, ana)
        with pytest.raises(uploads.TooManyUnfinished, match="2 uploads of yours have not arrived whole"):
            self.announce(10, ana)
        self.announce(10, bo)
        first.meeting.delete()
        self.announce(10, ana)


async def test_an_upload_has_the_captions_of_its_sound(broker: redis.asyncio.Redis) -> None:
    samples = np.concatenate(list(decode_file(CLIP)))
    meeting = await asyncio.to_thread(uploaded, CLIP.read_bytes())
    async with working(broker):
        await until(lambda: is_done(meeting), seconds=60)
    heard = pcm16_to_float(float_to_pcm16(samples))
    events = caption_recording([heard], CaptionSession(SessionConfig("en")), Engine(ScriptedTranscriber()))
    finals = [(one.segment, one.text, one.start, one.end) for one in events if isinstance(one, FinalCaption)]
    assert await asyncio.to_thread(said, meeting) == finals
    upload = await asyncio.to_thread(upload_of, meeting)
    assert (upload.state, upload.seconds) == (UploadState.READY, len(samples) / SAMPLE_RATE)
    assert not upload_files.path(meeting.pk).exists(), "it is not needed any more"
    assert [key for key in await broker.keys("*") if meeting.pk.encode() in key] == []


async def test_a_recording_in_which_nobody_speaks_says_so(broker: redis.asyncio.Redis, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", np.zeros(2 * SAMPLE_RATE), SAMPLE_RATE)
    meeting = await asyncio.to_thread(uploaded, (tmp_path / "x.wav").read_bytes(), "x.wav")
    async with working(broker):
        await until(lambda: is_done(meeting), seconds=60)
    upload = await asyncio.to_thread(lambda: Upload.objects.select_related("meeting").get(pk=meeting.pk))
    assert (upload.state, upload.sound) == (UploadState.READY, "silence")
    assert uploads.note(upload) == ""
    assert uploads.why_empty(upload.meeting, upload) == (
        "Nothing is captioned: there is only digital silence in this recording."
    )


async def test_a_telephone_recording_is_what_its_name_says(broker: redis.asyncio.Redis) -> None:
    speech = next(decode_file(CLIP, block=5 * SAMPLE_RATE))
    content = float_to_pcm16(speech)
    named, untold = [await asyncio.to_thread(uploaded, content, name) for name in ("call.sln16", "call.raw")]
    async with working(broker):
        await until(lambda: is_done(named) and is_done(untold), seconds=60)
    good, bad = [await asyncio.to_thread(upload_of, meeting) for meeting in (named, untold)]
    assert (good.state, good.seconds) == (UploadState.READY, 5.0)
    assert (bad.state, bad.failure) == (UploadState.FAILED, UploadFailure.NO_HEADER)
    assert uploads.sentence(bad) == (
        "This file does not say how its sound is stored. Upload it again, and choose its format."
    )


async def test_channels_are_speakers_where_the_uploader_says_so(broker: redis.asyncio.Redis, tmp_path: Path) -> None:
    speech = next(decode_file(CLIP, block=20 * SAMPLE_RATE))
    left, right = speech.copy(), speech.copy()
    left[10 * SAMPLE_RATE :], right[: 10 * SAMPLE_RATE] = 0, 0
    soundfile.write(tmp_path / "x.wav", np.stack((left, right), axis=1), SAMPLE_RATE)
    content = (tmp_path / "x.wav").read_bytes()
    announced = uploads.Announced("x.wav", len(content), 0, is_speaker_per_channel=True)
    meeting = await asyncio.to_thread(uploaded, content, announced=announced)
    async with working(broker):
        await until(lambda: is_done(meeting), seconds=60)
    rows = await asyncio.to_thread(lambda: list(Caption.objects.filter(meeting=meeting).exclude(text="")))
    assert {caption.speaker for caption in rows if caption.end < 9.5} == {"S1"}
    assert {caption.speaker for caption in rows if caption.start > 10.5} == {"S2"}


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
    assert decoders() == [], "it leaves none behind"


def decoders() -> list[psutil.Process]:
    """The child processes of this one that decode, or stand in for one that does."""
    return [child for child in psutil.Process().children() if "inference.media" in " ".join(child.cmdline())]


async def test_a_second_worker_goes_on_where_the_first_one_stopped(broker: redis.asyncio.Redis, tmp_path: Path) -> None:
    """Eight times the clip: more than a worker reads ahead."""
    content = repeated(tmp_path, 8)
    twin = await asyncio.to_thread(uploaded, content, "Undisturbed")
    async with working(broker):
        await until(lambda: is_done(twin), seconds=60)
    meeting = await asyncio.to_thread(uploaded, content)
    await begin(broker, meeting)
    async with working(broker, "second"):
        await until(lambda: is_done(meeting), seconds=60)
    assert await asyncio.to_thread(said, meeting) == await asyncio.to_thread(said, twin)


async def test_short_recordings_are_captioned_while_a_long_one_is(
    broker: redis.asyncio.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The long one's file gives no more after twenty seconds, and is read on when the others are done."""
    may_go_on = asyncio.Event()
    really = FileReader.read
    reads: Counter[FileReader] = Counter()

    async def read(reader: FileReader) -> tuple[list[np.ndarray], UnreadableAudioError | None]:
        reads[reader] += 1
        if reader.file._file._path.name == long.pk and reads[reader] > 4:
            await may_go_on.wait()
        return await really(reader)

    monkeypatch.setattr(FileReader, "read", read)
    long = await asyncio.to_thread(uploaded, repeated(tmp_path, 8))
    async with working(broker):
        await until(lambda: len(texts(long)) >= 1)
        short = await asyncio.to_thread(uploaded, CLIP.read_bytes())
        call = await asyncio.to_thread(uploaded, CLIP.read_bytes(), is_awaited=True)
        await until(lambda: is_done(short) and is_done(call))
        assert (await asyncio.to_thread(upload_of, long)).state == UploadState.CAPTIONING
        may_go_on.set()
        await until(lambda: is_done(long))
    assert len(await asyncio.to_thread(texts, long)) > 6 * len(await asyncio.to_thread(texts, short))


async def test_a_recording_that_arrives_is_taken_at_once(
    broker: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_uploads, "UPLOAD_POLL_S", 3_600.0)
    step = worker_uploads.UploadStep("worker", broker, places=1)
    await step.listen()
    await step.turn({})
    meeting = await asyncio.to_thread(uploaded, CLIP.read_bytes())
    await step.turn({})
    assert (await asyncio.to_thread(upload_of, meeting)).state == UploadState.WAITING
    await step.listen()
    await step.turn({})
    assert (await asyncio.to_thread(upload_of, meeting)).state == UploadState.CAPTIONING
    await step.close()


async def test_a_worker_learns_for_whose_text_a_program_begins_to_wait(
    broker: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_uploads, "UPLOAD_POLL_S", 0.0)
    meeting = await asyncio.to_thread(uploaded, CLIP.read_bytes())
    await asyncio.to_thread(uploads.take, await asyncio.to_thread(upload_of, meeting))
    stream = (await asyncio.to_thread(open_stream, meeting.pk)).stream
    step = worker_uploads.UploadStep("worker", broker, places=1)
    seen = []
    for awaited in (lambda: None, partial(uploads.await_text, meeting.pk)):
        await asyncio.to_thread(awaited)
        await step.turn({meeting.pk: stream})
        seen.append(stream.recording.is_awaited)
    await step.close()
    assert seen == [False, True]


@pytest.mark.long
async def test_long_recordings_give_their_places_to_each_other_and_go_on_where_they_were(
    broker: redis.asyncio.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording_scheduler, "BRIEF_S", 0.0)
    monkeypatch.setattr(recording_scheduler, "TENURE_S", 0.5)
    monkeypatch.setattr(worker_uploads, "to_take", lambda waiting, held, places: waiting[0].key if waiting else None)
    content = repeated(tmp_path, 5)
    meetings = [await asyncio.to_thread(uploaded, content, f"{number}.flac") for number in range(3)]
    with capture_logs() as logs:
        async with working(broker):
            await until(lambda: all(map(is_done, meetings)), seconds=120)
    assert [entry["event"] for entry in logs].count("upload_makes_room") >= 1
    first, *others = [await asyncio.to_thread(said, meeting) for meeting in meetings]
    assert [segments for segments in others if segments != first] == []
    for meeting in meetings:
        upload = await asyncio.to_thread(upload_of, meeting)
        assert (upload.state, upload.missing_s, upload.attempts <= 1) == (UploadState.READY, 0.0, True)


def repeated(folder: Path, times: int) -> bytes:
    """The clip, `times` over, as a file."""
    samples = np.tile(np.concatenate(list(decode_file(CLIP))), times)
    soundfile.write(folder / "long.flac", samples, SAMPLE_RATE)
    return (folder / "long.flac").read_bytes()


async def test_a_broker_that_lost_everything_costs_an_upload_nothing(
    broker: redis.asyncio.Redis, tmp_path: Path
) -> None:
    twin = await asyncio.to_thread(uploaded, CLIP.read_bytes(), "Undisturbed")
    async with working(broker):
        await until(lambda: is_done(twin), seconds=60)
    meeting = await asyncio.to_thread(uploaded, repeated(tmp_path, 8))
    await begin(broker, meeting)
    await broker.flushall()
    async with working(broker, "second"):
        await until(lambda: is_done(meeting), seconds=60)
    ended = await Meeting.objects.aget(pk=meeting.pk)
    assert (ended.missing_s, ended.cursor) == (0.0, 8 * (await Meeting.objects.aget(pk=twin.pk)).cursor)
    assert (await asyncio.to_thread(texts, meeting))[:3] == (await asyncio.to_thread(texts, twin))[:3]


async def test_the_log_never_holds_much_more_than_what_is_captioned(
    broker: redis.asyncio.Redis, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "long.flac", np.zeros(200 * SAMPLE_RATE), SAMPLE_RATE)
    meeting = await asyncio.to_thread(uploaded, (tmp_path / "long.flac").read_bytes())
    longest = 0
    async with working(broker):
        while not await asyncio.to_thread(is_done, meeting):
            longest = max(longest, await broker.xlen(audio_key(meeting.pk)))
            await asyncio.sleep(0.01)
    assert 60 <= longest <= 140, "entries of a second: a minute heard again, and a minute ahead"


def naming_another(folder: Path) -> dict[str, bytes]:
    """Lists that name a recording beside them, as FFmpeg would follow them."""
    shutil.copy(CLIP, folder / "secret.flac")
    return {
        "ffconcat": b"ffconcat version 1.0\nfile secret.flac\n",
        "m3u8": b"#EXTM3U\n#EXT-X-TARGETDURATION:30\n#EXTINF:22,\nsecret.flac\n#EXT-X-ENDLIST\n",
    }


@pytest.mark.parametrize("kind", ["ffconcat", "m3u8"])
async def test_a_list_of_other_files_is_not_followed(broker: redis.asyncio.Redis, kind: str) -> None:
    """The recording that it names lies where uploads lie, and could be read."""
    content = naming_another(upload_files.folder())[kind]
    meeting = await asyncio.to_thread(uploaded, content, f"list.{kind}")
    async with working(broker):
        await until(lambda: is_done(meeting) and state_of(meeting) == State.ENDED)
    upload = await asyncio.to_thread(upload_of, meeting)
    assert (upload.state, upload.failure, upload.seconds) == (UploadState.FAILED, UploadFailure.PLAYLIST, 0.0)
    assert uploads.sentence(upload) == "This is a list of other files. Upload the recordings themselves."
    assert await asyncio.to_thread(said, meeting) == []


async def test_what_is_no_recording_fails_with_a_sentence(broker: redis.asyncio.Redis) -> None:
    content = b"hello, I am text\n" * 50
    meeting = await asyncio.to_thread(uploaded, content)
    async with working(broker):
        await until(lambda: is_done(meeting) and state_of(meeting) == State.ENDED)
    upload = await asyncio.to_thread(upload_of, meeting)
    assert (upload.state, upload.failure) == (UploadState.FAILED, UploadFailure.UNREADABLE)
    assert uploads.sentence(upload) == "There is no sound in this file that can be read. Is it a recording?"
    assert upload.attempts == 1, "it is not opened again"
    assert upload_files.path(meeting.pk).read_bytes() == content, "nothing is thrown away at once that did not work out"


async def test_a_file_that_is_gone_is_told(broker: redis.asyncio.Redis) -> None:
    meeting = await asyncio.to_thread(uploaded, CLIP.read_bytes())
    upload_files.delete(meeting.pk)
    async with working(broker):
        await until(lambda: is_done(meeting))
    assert (await asyncio.to_thread(upload_of, meeting)).failure == UploadFailure.MISSING


CRASHES_AFTER_A_SECOND = """
import os, sys, time
import numpy as np
from inference.media.protocol import *
header = Header("wav", 10.0, (Track(0, "pcm", 16_000, 1),), 0)
os.write(1, preamble() + encode(header) + encode(Samples(0, 0.0, np.full(16_000, 0.5, np.float32))))
with open({openings!r}, "a") as openings:
    openings.write("x")
"""
"""A stand-in for the decoder's child process; what follows says how it ends."""


@pytest.fixture(scope="module")
def pcm() -> bytes:
    return load_pcm(CLIP)


@pytest.fixture
def decoder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Path]:
    """Puts a decoder in place that gives one second and then does as it is told; gives the file with a letter a
    start."""
    openings = tmp_path / "openings"
    monkeypatch.setattr(worker_uploads, "AGAIN_AFTER_S", (0.0, 0.0))

    def put(end: str) -> Path:
        script = CRASHES_AFTER_A_SECOND.format(openings=str(openings)) + end
        monkeypatch.setattr(process, "COMMAND", (sys.executable, "-B", "-c", script))
        return openings

    return put


async def test_a_file_that_ends_its_decoder_is_given_up_and_nobody_else_is_touched(
    broker: redis.asyncio.Redis, pcm: bytes, decoder: Callable[[str], Path]
) -> None:
    """The child dies of a signal each time, as FFmpeg would; worker and live meeting go on."""
    openings = decoder("os.kill(os.getpid(), 11)")
    live = await Meeting.objects.acreate(title="Spoken")
    meeting = await asyncio.to_thread(uploaded, CLIP.read_bytes())
    async with working(broker):
        await until(lambda: is_done(meeting))
        await speak(broker, live, pcm)
        await AudioLog(broker).mark(live.pk, "end")
        await until(lambda: state_of(live) == State.ENDED, seconds=60)
    upload = await asyncio.to_thread(upload_of, meeting)
    assert (upload.state, upload.failure) == (UploadState.FAILED, UploadFailure.CRASHED)
    assert openings.read_text() == "x" * uploads.MAX_UPLOAD_ATTEMPTS
    assert (upload.seconds, upload.missing_s) == (1.0, 9.0)
    assert uploads.sentence(upload) == (
        "The decoder ended each time it read this file. What comes before 0:01 is captioned."
    )
    assert len(await asyncio.to_thread(texts, live)) >= 4


async def test_a_decoder_that_hangs_fails_its_file_in_time(
    broker: redis.asyncio.Redis, pcm: bytes, decoder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it is waited for, a live meeting is captioned; after it, the next upload is."""
    monkeypatch.setattr(Environment, "media_limits", Limits(stall_s=2.0))
    monkeypatch.setattr(uploads, "MAX_UPLOAD_ATTEMPTS", 1)
    decoder("time.sleep(600)")
    live = await Meeting.objects.acreate(title="Spoken")
    await speak(broker, live, pcm)
    meeting = await asyncio.to_thread(uploaded, CLIP.read_bytes())
    async with working(broker):
        await until(lambda: len(texts(live)) >= 3, seconds=60)
        await until(lambda: is_done(meeting), seconds=60)
        monkeypatch.undo()
        good = await asyncio.to_thread(uploaded, CLIP.read_bytes(), "good.flac")
        await until(lambda: is_done(good), seconds=60)
    assert (await asyncio.to_thread(upload_of, meeting)).failure == UploadFailure.HUNG
    assert (await asyncio.to_thread(upload_of, good)).state == UploadState.READY


async def test_a_worker_that_stops_does_not_wait_for_a_decoder_that_hangs(
    broker: redis.asyncio.Redis, decoder: Callable[[str], Path]
) -> None:
    openings = decoder("time.sleep(600)")
    await asyncio.to_thread(uploaded, CLIP.read_bytes())
    began = time.monotonic()
    async with working(broker):
        await until(openings.exists)
    assert time.monotonic() - began < 30, "the child is ended with the worker"
    assert decoders() == []


async def test_an_error_that_nobody_expected_costs_one_file(
    broker: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_uploads, "AGAIN_AFTER_S", (0.0, 0.0))
    tries: list[str] = []
    really = worker_uploads.RecordedFile

    def decode(path: Path, *choices: Any, **options: Any) -> RecordedFile:
        if path.name == bad.pk:
            tries.append(path.name)
            raise RuntimeError("nobody expected this")
        return really(path, *choices, **options)

    monkeypatch.setattr(worker_uploads, "RecordedFile", decode)
    bad = await asyncio.to_thread(uploaded, CLIP.read_bytes(), "bad.flac")
    good = await asyncio.to_thread(uploaded, CLIP.read_bytes(), "good.flac")
    async with working(broker):
        await until(lambda: is_done(bad) and is_done(good), seconds=60)
    assert len(tries) == uploads.MAX_UPLOAD_ATTEMPTS
    assert (await asyncio.to_thread(upload_of, bad)).state == UploadState.FAILED
    assert (await asyncio.to_thread(upload_of, good)).state == UploadState.READY


async def test_a_broker_that_is_away_for_a_moment_costs_a_recording_no_sound_and_no_attempt(
    broker: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once before the log has the frame, and once after: then nobody knows whether it has."""
    really = AudioLog.append
    failures = {7: "before", 12: "after"}

    async def append(log: AudioLog, meeting_id: str, connection: str, frame: int, pcm: bytes) -> Appended:
        failure = failures.pop(frame, None) if connection.startswith("upload:") else None
        if failure != "before":
            appended = await really(log, meeting_id, connection, frame, pcm)
        if failure is not None:
            raise redis.exceptions.ConnectionError(failure)
        return appended

    monkeypatch.setattr(AudioLog, "append", append)
    twin = await asyncio.to_thread(uploaded, CLIP.read_bytes(), "Undisturbed")
    failing, failures = failures, {}
    async with working(broker):
        await until(lambda: is_done(twin), seconds=60)
    failures = failing
    meeting = await asyncio.to_thread(uploaded, CLIP.read_bytes())
    async with working(broker):
        await until(lambda: is_done(meeting), seconds=60)
    assert failures == {}
    assert await asyncio.to_thread(said, meeting) == await asyncio.to_thread(said, twin)
    upload = await asyncio.to_thread(upload_of, meeting)
    assert (upload.state, upload.attempts, upload.seconds) == (UploadState.READY, 1, 22.8)


async def test_a_lease_that_is_lost_costs_a_recording_no_attempt_and_no_second_reading(
    broker: redis.asyncio.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once while its file is fed, and twice when all of it was."""
    opened_at: list[int] = []

    def open_file(file: RecordedFile, first_sample: int) -> FileReader:
        opened_at.append(first_sample // SAMPLE_RATE)
        return FileReader(file, first_sample)

    monkeypatch.setattr(worker_uploads, "FileReader", open_file)
    transcriber, log = HaltingTranscriber(), AudioLog(broker)
    meeting = await asyncio.to_thread(uploaded, repeated(tmp_path, 4))
    async with working(broker, transcriber=lambda: transcriber) as worker:
        await until(lambda: upload_of(meeting).attempts == 1)
        await until(lambda: upload_of(meeting).attempts == 0)
        await lose_lease(worker, meeting)
        transcriber.may_go_on.set()
        for _ in range(2):
            await until_async(lambda: log.has_ended(meeting.pk), True)
            await lose_lease(worker, meeting)
        await until(lambda: is_done(meeting))
    upload = await asyncio.to_thread(upload_of, meeting)
    assert (upload.state, upload.failure, upload.attempts, upload.missing_s) == (UploadState.READY, "", 0, 0.0)
    assert (opened_at[0], len(opened_at), opened_at[1] >= 60) == (0, 2, True)


async def lose_lease(worker: Worker, meeting: Meeting) -> None:
    """The worker is slow, and takes the meeting again."""
    before = worker._streams[meeting.pk]
    worker._assignments.drop(meeting.pk, "lease_expired")
    await until(lambda: worker._streams.get(meeting.pk) not in (None, before))


async def test_what_can_be_heard_of_a_damaged_recording_is_ready(broker: redis.asyncio.Redis, tmp_path: Path) -> None:
    path = recordings.record(tmp_path / "x.mp3", seconds=20, codec="libmp3lame")
    content = recordings.damaged(path).read_bytes()
    meeting = await asyncio.to_thread(uploaded, content)
    async with working(broker):
        await until(lambda: is_done(meeting), seconds=60)
    upload = await asyncio.to_thread(upload_of, meeting)
    assert (upload.state, upload.failure) == (UploadState.READY, "")
    assert upload.missing_s == pytest.approx(0.5, rel=0.3)
    assert uploads.sentence(upload) == ""
    assert uploads.note(upload) == f"The file is damaged: {upload.missing_s:.1f} seconds of it could not be read."
    assert upload.seconds == pytest.approx(20, abs=0.2)
    assert (await Meeting.objects.aget(pk=meeting.pk)).missing_s == upload.missing_s
    assert not upload_files.path(meeting.pk).exists()


async def test_tags_of_any_encoding_cost_nobody_anything(broker: redis.asyncio.Redis, tmp_path: Path) -> None:
    """Two of them, one after the other, are captioned by one worker."""
    path = recordings.record(tmp_path / "x.wav", tags={"title": recordings.STAND_IN})
    content = recordings.retagged(path).read_bytes()
    meetings = [await asyncio.to_thread(uploaded, content, f"{number}.wav") for number in range(2)]
    async with working(broker):
        await until(lambda: all(map(is_done, meetings)), seconds=60)
    for meeting in meetings:
        upload = await asyncio.to_thread(upload_of, meeting)
        assert (upload.state, upload.seconds, upload.missing_s) == (UploadState.READY, 10.0, 0.0)


async def test_a_bomb_is_refused(broker: redis.asyncio.Redis, tmp_path: Path) -> None:
    meeting = await asyncio.to_thread(uploaded, recordings.bomb(tmp_path / "bomb.wav").read_bytes())
    async with working(broker):
        await until(lambda: is_done(meeting))
    upload = await asyncio.to_thread(upload_of, meeting)
    assert upload.failure == UploadFailure.SAMPLE_RATE
    assert uploads.sentence(upload) == "The sample rate of this file is outside of what can be read, 4 to 384 kHz."


async def test_a_recording_that_is_too_long_is_captioned_as_far_as_it_may_be(
    broker: redis.asyncio.Redis, tmp_path: Path, settings: Any
) -> None:
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, longest_media_s=12.0)
    content = recordings.bare_mp3(tmp_path / "x.mp3", seconds=20).read_bytes()
    meeting = await asyncio.to_thread(uploaded, content)
    async with working(broker):
        await until(lambda: is_done(meeting), seconds=60)
    upload = await asyncio.to_thread(upload_of, meeting)
    assert (upload.state, upload.failure) == (UploadState.FAILED, UploadFailure.TOO_LONG)
    assert upload.seconds == pytest.approx(11.5, abs=0.6)
    assert uploads.sentence(upload).endswith("What comes before 0:11 is captioned.")


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_sentence(reason: Reason) -> None:
    upload = Upload(state=UploadState.FAILED, failure=UploadFailure(reason), seconds=0.0)
    assert uploads.sentence(upload).endswith((".", "?"))


def test_a_recording_whose_captions_are_set_aside_is_told_and_taken_up_again() -> None:
    meeting = uploaded(CLIP.read_bytes())
    assert uploads.take(upload_of(meeting))
    for _ in range(stage_failures.MAX_STAGE_ATTEMPTS):
        stage_failures.record_failure(meeting.pk, Stage.CAPTIONS, position=0, error="RuntimeError")
    uploads.settle()
    upload = upload_of(meeting)
    assert (upload.state, upload.failure) == (UploadState.FAILED, UploadFailure.SET_ASIDE)
    assert uploads.abandoned([]) == [], "nobody takes it in vain"
    again = uploads.open_again(meeting.pk)
    assert again is not None
    assert (again.state, again.failure, again.attempts) == (UploadState.CAPTIONING, "", 1)


async def test_deleting_the_meeting_deletes_the_upload(broker: redis.asyncio.Redis) -> None:
    meeting = await asyncio.to_thread(uploaded, CLIP.read_bytes())
    await Meeting.objects.all().adelete()
    assert not upload_files.path(meeting.pk).exists()
    assert await Upload.objects.acount() == 0
