"""A worker's part in uploads: speaks recordings into the audio log, as a host would, no faster than they are captioned.

From there on all is as in a live meeting: captions, speakers, translations, the end, and what happens when the worker
dies. Its successor decodes the file again and goes on at the log's next sample.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np
import redis.asyncio
import structlog
from channels.db import database_sync_to_async

from inference.audio import SAMPLE_RATE, UnreadableAudioError, decode_file, duration_s, float_to_pcm16
from meetings.audio.audiolog import AudioLog, Outcome
from meetings.models import Meeting, State, Upload, UploadFailure
from meetings.uploading import chunks, uploads
from meetings.workers.stream import REHEAR_S, MeetingStream, resumed_session, session_config

T = TypeVar("T")

log = structlog.get_logger(__name__)

LOOK_S = 1.0
IDLE_S = 0.05
AHEAD_S = 60.0
"""Sound in the log that is not captioned: some utterances for each batch, and little to keep in memory."""

UNHEARD_S = 45.0
"""Sound that the speakers' thread has not heard. Above a minute it would skip some (`tracker.BACKLOG`)."""

STEP = 5
"""Blocks of a second that are appended at once."""

GOES_ON_S = 60.0
"""Seconds of sound after which opening the file counts as a success."""

next_waiting = database_sync_to_async(uploads.next_waiting, thread_sensitive=False)
take = database_sync_to_async(uploads.take, thread_sensitive=False)
abandoned = database_sync_to_async(uploads.abandoned, thread_sensitive=False)
open_again = database_sync_to_async(uploads.open_again, thread_sensitive=False)
went_on = database_sync_to_async(uploads.went_on, thread_sensitive=False)
set_length = database_sync_to_async(uploads.set_length, thread_sensitive=False)
fail = database_sync_to_async(uploads.fail, thread_sensitive=False)
settle = database_sync_to_async(uploads.settle, thread_sensitive=False)


@dataclass(slots=True)
class Feeder:
    """One recording on its way into the log of the meeting that this worker holds."""

    stream: MeetingStream
    blocks: Iterator[np.ndarray]
    next_frame: int
    next_sample: int
    opened_at: int
    """Sample."""
    is_over: bool = False
    has_gone_on: bool = False


class Ingesting:
    """Belongs to one worker; it feeds the uploads among the meetings that the worker holds."""

    def __init__(
        self, worker: str, broker: redis.asyncio.Redis, *, unheard_s: Callable[[MeetingStream], float] = lambda _: 0.0
    ) -> None:
        """`unheard_s`: how much of a meeting the speakers' thread has not heard."""
        self._connection = f"upload:{worker}"
        self._audio = AudioLog(broker)
        self._unheard_s = unheard_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="uploads")
        self._feeders: dict[str, Feeder] = {}
        self._look_at = 0.0

    async def turn(self, streams: Mapping[str, MeetingStream]) -> None:
        """Looks after uploads once a second, and feeds those that have room."""
        self._drop_lost(streams)
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_S
            await self._look(streams)
        fed = [await self._feed(feeder) for feeder in list(self._feeders.values())]
        if not any(fed):
            await asyncio.sleep(IDLE_S)

    def _drop_lost(self, streams: Mapping[str, MeetingStream]) -> None:
        self._feeders = {key: feeder for key, feeder in self._feeders.items() if streams.get(key) is feeder.stream}

    # -- which ones --------------------------------------------------------------------------------------------------

    async def _look(self, streams: Mapping[str, MeetingStream]) -> None:
        await settle()
        held = [stream for stream in streams.values() if stream.is_upload and stream.state is not State.ENDED]
        for stream in held:
            if stream.meeting_id not in self._feeders:
                await self._open(stream)
        if not held:
            await self._take_next()

    async def _take_next(self) -> None:
        """Makes an upload active: whichever worker sees it first holds it like any meeting, and feeds it."""
        for upload in await abandoned(await self._audio.active()):
            await self._claim(upload.meeting)
        upload = await next_waiting()
        if upload is not None and await take(upload):
            log.info("upload_taken", meeting=upload.pk, bytes=upload.size)
            await self._claim(upload.meeting)

    async def _claim(self, meeting: Meeting) -> None:
        """Becomes the host. Where the broker has lost its file, the log begins where the captions need it to."""
        begin = await self._in_thread(lambda: needed_from(meeting))
        await self._audio.claim(meeting.pk, self._connection, takeover=True, cursor=begin)

    # -- one file ----------------------------------------------------------------------------------------------------

    async def _open(self, stream: MeetingStream) -> None:
        upload = await open_again(stream.meeting_id)
        if upload is None:
            return
        await self._claim(upload.meeting)
        if not chunks.path(upload.pk).exists():
            await self._give_up(stream, UploadFailure.MISSING)
        elif upload.attempts > uploads.MAX_ATTEMPTS:
            await self._give_up(stream, UploadFailure.UNREADABLE)
        else:
            await self._begin(stream, upload)

    async def _begin(self, stream: MeetingStream, upload: Upload) -> None:
        state = await self._audio.state(upload.pk)
        path = chunks.path(upload.pk)
        blocks = skipping(decode_file(path), state.next_sample)
        self._feeders[upload.pk] = Feeder(stream, blocks, state.next_frame, state.next_sample, state.next_sample)
        if upload.seconds is None:
            try:
                await set_length(upload.pk, await self._in_thread(lambda: duration_s(path)))
            except UnreadableAudioError:
                log.info("upload_length_unknown", meeting=upload.pk)  # reading it says what is wrong

    async def _feed(self, feeder: Feeder) -> bool:
        """Appends the next seconds, if there is room for them; says whether it did."""
        if feeder.is_over or not self._has_room(feeder):
            return False
        blocks, error = await self._in_thread(lambda: read(feeder.blocks))
        for block in blocks:
            if not await self._append(feeder, block):
                return False
        if error is not None:
            log.warning("upload_unreadable", meeting=feeder.stream.meeting_id, error=str(error))
            await self._break_off(feeder)
        elif len(blocks) < STEP:
            await self._finish(feeder)
        await self._note_going_on(feeder)
        return True

    def _has_room(self, feeder: Feeder) -> bool:
        ahead_s = (feeder.next_sample - feeder.stream.committed) / SAMPLE_RATE
        unread_s = max(0, feeder.next_sample - feeder.stream.session.received) / SAMPLE_RATE
        return ahead_s < AHEAD_S and unread_s + self._unheard_s(feeder.stream) < UNHEARD_S

    async def _append(self, feeder: Feeder, block: np.ndarray) -> bool:
        """False: another worker feeds the meeting by now, and this one forgets it."""
        appended = await self._audio.append(
            feeder.stream.meeting_id, self._connection, feeder.next_frame, float_to_pcm16(block)
        )
        if appended.outcome is not Outcome.STORED:
            log.info("upload_fed_elsewhere", meeting=feeder.stream.meeting_id)
            del self._feeders[feeder.stream.meeting_id]
            return False
        feeder.next_frame = appended.next_frame
        feeder.next_sample += len(block)
        return True

    async def _note_going_on(self, feeder: Feeder) -> None:
        if not feeder.has_gone_on and feeder.next_sample - feeder.opened_at >= GOES_ON_S * SAMPLE_RATE:
            feeder.has_gone_on = True
            await went_on(feeder.stream.meeting_id)

    # -- the end -----------------------------------------------------------------------------------------------------

    async def _finish(self, feeder: Feeder) -> None:
        feeder.is_over = True
        await set_length(feeder.stream.meeting_id, feeder.next_sample / SAMPLE_RATE)
        await self._audio.mark(feeder.stream.meeting_id, "end")
        log.info("upload_fed", meeting=feeder.stream.meeting_id, seconds=feeder.next_sample / SAMPLE_RATE)

    async def _break_off(self, feeder: Feeder) -> None:
        """The file ends here in spite of what it promised: what was heard is captioned."""
        await self._finish(feeder)
        await fail(feeder.stream.meeting_id, UploadFailure.DAMAGED if feeder.next_sample else UploadFailure.UNREADABLE)

    async def _give_up(self, stream: MeetingStream, failure: UploadFailure) -> None:
        log.warning("upload_given_up", meeting=stream.meeting_id, failure=failure)
        await self._audio.mark(stream.meeting_id, "end")
        await fail(stream.meeting_id, failure)
        state = await self._audio.state(stream.meeting_id)
        self._feeders[stream.meeting_id] = Feeder(
            stream, iter(()), state.next_frame, state.next_sample, state.next_sample, is_over=True
        )

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def needed_from(meeting: Meeting) -> int:
    """The sample from which a worker that takes the meeting over hears it (`MeetingStream.forgettable`)."""
    session = resumed_session(meeting, session_config(meeting, meeting.language))
    return max(0, session.audio_from - REHEAR_S * SAMPLE_RATE)


def read(blocks: Iterator[np.ndarray]) -> tuple[list[np.ndarray], UnreadableAudioError | None]:
    """STEP blocks, fewer at the end; and what broke the file off, if it did."""
    found: list[np.ndarray] = []
    try:
        found.extend(islice(blocks, STEP))
    except UnreadableAudioError as error:
        return found, error
    return found, None


def skipping(blocks: Iterator[np.ndarray], samples: int) -> Iterator[np.ndarray]:
    """Float32 blocks without the first `samples`."""
    for block in blocks:
        if samples < len(block):
            yield block[samples:]
        samples = max(0, samples - len(block))
