"""Feed uploaded recordings into the audio log as a host would, no faster than they are captioned.

From there on everything works as in a live meeting. If the worker dies, the next one decodes the file again and resumes
at the log's next sample. So does this worker after an error with a file. Errors are counted in the upload's row and do
not affect other uploads.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TypeVar

import numpy as np
import redis.asyncio
import structlog
from django.conf import settings

from inference.audio import SAMPLE_RATE, UnreadableAudioError, float_to_pcm16
from inference.media.errors import DecoderFailed
from inference.speech.recorded_file import RecordedFile
from meetings import supervise
from meetings.broker.audio_log import AppendOutcome, AudioLog
from meetings.models import Meeting, State, Upload, UploadFailure
from meetings.queries import in_database
from meetings.store import upload_files, uploads
from meetings.worker.stream import REHEAR_S, MeetingStream, resumed_session, session_config

T = TypeVar("T")

log = structlog.get_logger(__name__)

UPLOAD_POLL_S = 1.0
NO_ROOM_S = 0.05
AHEAD_S = 60.0
"""Seconds of uncaptioned audio in the log: enough utterances for each batch, with little memory."""

UNHEARD_S = 45.0
"""Seconds of audio not diarized yet. Above a minute the tracker would skip some (`tracker.BACKLOG`)."""

STEP = 5
"""Blocks of one second that are appended at once."""

GOES_ON_S = 60.0
"""Seconds of audio after which opening the file counts as a success."""

AGAIN_AFTER_S = (2.0, 15.0)
"""Delays before a failed file is opened again: the machine may be at fault."""


@dataclass(slots=True)
class Feeder:
    """One recording being fed into the log of a meeting that this worker holds."""

    stream: MeetingStream
    file: RecordedFile | None
    """None if there is nothing to read."""
    blocks: Iterator[np.ndarray]
    next_frame: int
    next_sample: int
    opened_at: int
    """Sample."""
    is_over: bool = False
    has_gone_on: bool = False

    def kill(self) -> None:
        """End the decoder, also while the thread reads from it."""
        if self.file is not None:
            self.file.kill()

    def close(self) -> None:
        """Close the file."""
        if self.file is not None:
            self.file.close()


class UploadStep:
    """Feed the uploads among the meetings that one worker holds."""

    def __init__(
        self, worker: str, broker: redis.asyncio.Redis, *, unheard_s: Callable[[MeetingStream], float] = lambda _: 0.0
    ) -> None:
        """`unheard_s`: seconds of a meeting that are not diarized yet."""
        self._connection = f"upload:{worker}"
        self._audio = AudioLog(broker)
        self._unheard_s = unheard_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="uploads")
        self._feeders: dict[str, Feeder] = {}
        self._interrupted: set[str] = set()
        """Uploads put off by an outage of the database or the broker, which does not count as an attempt."""
        self._not_before: dict[str, float] = {}
        self._look_at = 0.0

    async def turn(self, streams: Mapping[str, MeetingStream]) -> None:
        """Check for uploads once a second, and feed those that have room. Raises outages."""
        self._drop_lost(streams)
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + UPLOAD_POLL_S
            await self._look(streams)
        fed = [await self._contained(key, partial(self._feed, feeder)) for key, feeder in list(self._feeders.items())]
        if not any(fed):
            await asyncio.sleep(NO_ROOM_S)

    def close(self) -> None:
        """End the decoders of all files when the worker stops. A read in progress ends with its decoder."""
        for feeder in self._feeders.values():
            feeder.kill()
            self._thread.submit(feeder.close)
        self._thread.shutdown()

    def _drop_lost(self, streams: Mapping[str, MeetingStream]) -> None:
        for meeting_id, feeder in list(self._feeders.items()):
            if streams.get(meeting_id) is not feeder.stream:
                self._forget(meeting_id)

    def _forget(self, meeting_id: str) -> None:
        feeder = self._feeders.pop(meeting_id, None)
        if feeder is not None:
            feeder.close()

    # -- selection -----------------------------------------------------------------------------------------------------

    async def _look(self, streams: Mapping[str, MeetingStream]) -> None:
        await in_database(uploads.settle)
        held = [stream for stream in streams.values() if stream.is_upload and stream.state is not State.ENDED]
        for stream in held:
            key = stream.meeting_id
            if key not in self._feeders and time.monotonic() >= self._not_before.get(key, 0.0):
                await self._contained(key, partial(self._open, stream))
        if not held:
            await self._take_next()

    async def _take_next(self) -> None:
        """Make an upload active. The first worker that sees it acquires it like any meeting, and feeds it."""
        for left_behind in await in_database(uploads.abandoned, await self._audio.active()):
            await self._claim_alone(left_behind)
        upload = await in_database(uploads.next_waiting)
        if upload is not None and await in_database(uploads.take, upload):
            log.info("upload_taken", meeting=upload.pk, bytes=upload.size)
            await self._claim_alone(upload)

    async def _claim_alone(self, upload: Upload) -> None:
        """Claim the upload. After too many failures mark it as failed, so that the next one gets its turn."""
        claimed = await supervise.contained(partial(self._claim, upload.meeting))
        if claimed.error is None:
            return
        self._put_off(upload.pk, claimed.error)
        again = await in_database(uploads.open_again, upload.pk)
        if again is not None and again.attempts > uploads.MAX_UPLOAD_ATTEMPTS:
            await in_database(uploads.fail, upload.pk, UploadFailure.CRASHED)

    async def _claim(self, meeting: Meeting) -> None:
        """Become the host. If the broker has lost its file, start the log where the captions need it."""
        begin = await self._in_thread(lambda: needed_from(meeting))
        await self._audio.claim(meeting.pk, self._connection, takeover=True, cursor=begin)

    # -- failures ------------------------------------------------------------------------------------------------------

    async def _contained(self, meeting_id: str, work: Callable[[], Awaitable[bool]]) -> bool:
        """Run one upload's work; an error puts off this upload only."""
        done = await supervise.contained(work)
        if done.error is not None:
            self._put_off(meeting_id, done.error)
        return bool(done.value)

    def _put_off(self, meeting_id: str, error: Exception) -> None:
        """Close the file, to be reopened where the log continues. Raises outages, which affect all uploads."""
        self._forget(meeting_id)
        if supervise.outage_of(error) is not None:
            self._interrupted.add(meeting_id)
            raise error
        self._not_before[meeting_id] = time.monotonic() + AGAIN_AFTER_S[0]
        kind = supervise.class_of(error)
        log.error("upload_failed", meeting=meeting_id, error=kind, where=supervise.where(error))

    # -- one file ----------------------------------------------------------------------------------------------------

    async def _open(self, stream: MeetingStream) -> bool:
        """Start to feed, or give up. The attempt is counted first, so that a crash of the process counts too."""
        was_interrupted = stream.meeting_id in self._interrupted
        upload = await in_database(uploads.find if was_interrupted else uploads.open_again, stream.meeting_id)
        self._interrupted.discard(stream.meeting_id)
        if upload is None:
            return False
        await self._claim(upload.meeting)
        if not upload_files.path(upload.pk).exists():
            await self._give_up(stream, upload, UploadFailure.MISSING)
        elif upload.attempts > uploads.MAX_UPLOAD_ATTEMPTS:
            await self._give_up(stream, upload, UploadFailure(upload.failure or UploadFailure.CRASHED))
        else:
            await self._begin(stream, upload)
        return True

    async def _begin(self, stream: MeetingStream, upload: Upload) -> None:
        state = await self._audio.state(upload.pk)
        options, limits = uploads.decode_options(upload), settings.ENVIRONMENT.media_limits
        file = RecordedFile(upload_files.path(upload.pk), options, limits=limits)
        blocks = skipping(file, state.next_sample)
        feeder = Feeder(stream, file, blocks, state.next_frame, state.next_sample, state.next_sample)
        self._feeders[upload.pk] = feeder
        if upload.is_speaker_per_channel:
            stream.has_channel_speakers = await self._ask(feeder, lambda: has_channels(file))
        if upload.seconds is None:
            await in_database(uploads.set_length, upload.pk, await self._ask(feeder, lambda: stated_length(file)))

    async def _feed(self, feeder: Feeder) -> bool:
        """Append the next seconds if there is room; return whether any were read."""
        if feeder.is_over or not self._has_room(feeder):
            return False
        blocks, error = await self._ask(feeder, lambda: read(feeder.blocks))
        for block in blocks:
            if not await self._append(feeder, block):
                return False
        await self._note_going_on(feeder)
        if isinstance(error, DecoderFailed):
            await self._try_again_later(feeder, error)
        elif error is not None:
            log.warning("upload_unreadable", meeting=feeder.stream.meeting_id, reason=error.reason.value)
            await self._finish(feeder, UploadFailure(error.reason))
        elif len(blocks) < STEP:
            await self._finish(feeder)
        return True

    def _has_room(self, feeder: Feeder) -> bool:
        ahead_s = (feeder.next_sample - feeder.stream.committed) / SAMPLE_RATE
        unread_s = max(0, feeder.next_sample - feeder.stream.session.received) / SAMPLE_RATE
        return ahead_s < AHEAD_S and unread_s + self._unheard_s(feeder.stream) < UNHEARD_S

    async def _append(self, feeder: Feeder, block: np.ndarray) -> bool:
        """Append a block. Return False, and forget the upload, if another worker feeds it by now."""
        appended = await self._audio.append(
            feeder.stream.meeting_id, self._connection, feeder.next_frame, float_to_pcm16(block)
        )
        if appended.outcome is not AppendOutcome.STORED:
            log.info("upload_fed_elsewhere", meeting=feeder.stream.meeting_id)
            self._forget(feeder.stream.meeting_id)
            return False
        feeder.next_frame = appended.next_frame
        feeder.next_sample += len(block)
        return True

    async def _note_going_on(self, feeder: Feeder) -> None:
        if not feeder.has_gone_on and feeder.next_sample - feeder.opened_at >= GOES_ON_S * SAMPLE_RATE:
            feeder.has_gone_on = True
            await in_database(uploads.went_on, feeder.stream.meeting_id)

    async def _try_again_later(self, feeder: Feeder, error: DecoderFailed) -> None:
        """Reopen the file later: the decoder may have run out of memory, or have been killed."""
        meeting_id = feeder.stream.meeting_id
        log.warning("decoder_failed", meeting=meeting_id, reason=error.reason.value)
        await in_database(uploads.note_failure, meeting_id, UploadFailure(error.reason))
        self._forget(meeting_id)
        upload = await in_database(uploads.find, meeting_id)
        attempts = 0 if upload is None else upload.attempts
        pause_s = AGAIN_AFTER_S[0] if attempts <= 1 else AGAIN_AFTER_S[-1]
        self._not_before[meeting_id] = time.monotonic() + pause_s

    # -- the end -----------------------------------------------------------------------------------------------------

    async def _finish(self, feeder: Feeder, failure: UploadFailure | None = None) -> None:
        """End an upload whose file was read as far as possible. Its audio is captioned."""
        feeder.is_over = True
        missing_s = feeder.file.missing_s if feeder.file is not None else None
        await self._end(feeder, missing_s, failure, reading_of(feeder.file))

    async def _give_up(self, stream: MeetingStream, upload: Upload, failure: UploadFailure) -> None:
        """End an upload whose file is not opened any more. The audio read before is captioned."""
        log.warning("upload_given_up", meeting=stream.meeting_id, failure=failure)
        state = await self._audio.state(stream.meeting_id)
        feeder = Feeder(stream, None, iter(()), state.next_frame, state.next_sample, state.next_sample, is_over=True)
        self._feeders[stream.meeting_id] = feeder
        stated_s = upload.seconds
        left_s = None if stated_s is None else max(0.0, stated_s - feeder.next_sample / SAMPLE_RATE)
        await self._end(feeder, left_s, failure)

    async def _end(
        self,
        feeder: Feeder,
        missing_s: float | None,
        failure: UploadFailure | None,
        reading: uploads.Reading | None = None,
    ) -> None:
        """Store the outcome before the end mark: if the worker dies in between, the next one does the same."""
        meeting_id, seconds = feeder.stream.meeting_id, feeder.next_sample / SAMPLE_RATE
        await in_database(
            uploads.finish, meeting_id, seconds=seconds, missing_s=missing_s, failure=failure, reading=reading
        )
        await self._audio.mark(meeting_id, "end")
        log.info("upload_fed", meeting=meeting_id, seconds=seconds, missing_s=missing_s)

    async def _ask(self, feeder: Feeder, work: Callable[[], T]) -> T:
        """Run `work` in the reading thread. When cancelled, kill the decoder instead of waiting for it."""
        try:
            return await self._in_thread(work)
        except asyncio.CancelledError:
            feeder.kill()
            raise

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def needed_from(meeting: Meeting) -> int:
    """Return the first sample that a worker needs to take the meeting over (`MeetingStream.forgettable`)."""
    session = resumed_session(meeting, session_config(meeting, meeting.language))
    return max(0, session.audio_from - REHEAR_S * SAMPLE_RATE)


def reading_of(file: RecordedFile | None) -> uploads.Reading | None:
    """Return what was found in a file; None: nothing was read."""
    if file is None:
        return None
    return uploads.Reading(file.tracks, frozenset(file.mixed), file.sound.value, file.channel_spans)


def has_channels(file: RecordedFile) -> bool:
    """Return whether the file has several channels; False if it cannot be read."""
    try:
        return file.channels > 1
    except UnreadableAudioError:
        return False


def stated_length(file: RecordedFile) -> float | None:
    """Return the duration in seconds stated by the file, or None if it states none or cannot be read."""
    try:
        return file.duration_s
    except UnreadableAudioError:
        return None


def read(blocks: Iterator[np.ndarray]) -> tuple[list[np.ndarray], UnreadableAudioError | None]:
    """Return up to STEP blocks, fewer at the end, and the error that interrupted the file, if any."""
    found: list[np.ndarray] = []
    try:
        found.extend(islice(blocks, STEP))
    except UnreadableAudioError as error:
        return found, error
    return found, None


def skipping(blocks: Iterator[np.ndarray], samples: int) -> Iterator[np.ndarray]:
    """Yield float32 blocks without the first `samples`."""
    for block in blocks:
        if samples < len(block):
            yield block[samples:]
        samples = max(0, samples - len(block))
