"""Feed uploaded recordings into the audio log as a host would, no faster than they are captioned.

From there on everything works as in a live meeting. If the worker dies, the next one decodes the file again and resumes
at the log's next sample. So does this worker after an error with a file. Errors are counted in the upload's row and do
not affect other uploads. `recording_scheduler` says which recordings are taken, and which of their files are read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import redis.asyncio
import structlog
from django.conf import settings

from inference.audio import SAMPLE_RATE, float_to_pcm16
from inference.media.errors import DecoderFailed
from inference.speech.recorded_file import RecordedFile
from meetings import supervise
from meetings.broker.audio_log import AppendOutcome, AudioLog, LogState
from meetings.broker.leases import Leases
from meetings.broker.notify import UPLOADS_CHANNEL
from meetings.broker.subscription import BrokerSubscription
from meetings.models import Meeting, State, Upload, UploadFailure
from meetings.queries import in_database
from meetings.store import upload_files, uploads
from meetings.worker.file_reader import STEP, FileReader
from meetings.worker.recording_scheduler import Places, Recording, crowding_owners, left_s, to_take
from meetings.worker.stream import REHEAR_S, MeetingStream, resumed_session, session_config

log = structlog.get_logger(__name__)

UPLOAD_POLL_S = 1.0
NO_ROOM_S = 0.05
AHEAD_S = 60.0
"""Seconds of uncaptioned audio in the log: enough utterances for each batch, with little memory."""

UNHEARD_S = 45.0
"""Seconds of audio not diarized yet. Above a minute the tracker would skip some (`tracker.BACKLOG`)."""

GOES_ON_S = 60.0
"""Seconds of audio after which opening the file counts as a success."""

AGAIN_AFTER_S = (2.0, 15.0)
"""Delays before a failed file is opened again: the machine may be at fault."""

BYTES_A_SECOND = 16_000
"""Of a file that was not opened yet; only to compare files."""


@dataclass(slots=True, eq=False)
class Feeder:
    """One recording being fed into the log of a meeting that this worker holds."""

    stream: MeetingStream
    reader: FileReader | None
    """None if there is nothing to read."""
    next_frame: int
    next_sample: int
    opened_at: int
    """Sample."""
    is_over: bool = False
    has_gone_on: bool = False

    def close(self, *, wait: bool = False) -> None:
        """Close the file, also while it is read."""
        if self.reader is not None:
            self.reader.close(wait=wait)
            self.reader = None


class UploadStep:
    """Feed the uploads among the meetings that one worker holds."""

    def __init__(
        self,
        worker: str,
        broker: redis.asyncio.Redis,
        *,
        places: int,
        unheard_s: Callable[[MeetingStream], float] = lambda _: 0.0,
        on_taken: Callable[[], object] = lambda: None,
    ) -> None:
        """Prepare to read `places` files of brief recordings at once, and as many of longer ones.

        Args:
            unheard_s: Seconds of a meeting that are not diarized yet.
            on_taken: Called when there is another meeting to acquire.
        """
        self._connection = f"upload:{worker}"
        self._audio = AudioLog(broker)
        self._leases = Leases(broker, worker)
        self._at_once = places
        self._places = Places(places)
        self._unheard_s = unheard_s
        self._on_taken = on_taken
        self._feeders: dict[str, Feeder] = {}
        self._steps: dict[str, asyncio.Task[object]] = {}
        """What is being done for each file, one thing at a time."""
        self._excused: set[str] = set()
        """Uploads that made room for others, or were put off by an outage; the next opening is not an attempt."""
        self._not_before: dict[str, float] = {}
        self._look_at = 0.0
        self._announced = BrokerSubscription(broker, UPLOADS_CHANNEL)

    async def listen(self) -> None:
        """Wait for a recording to be announced, and have `turn` look at once. Raises outages."""
        if not self._announced.is_open:
            await self._announced.open()
        elif await self._announced.next() is None:
            return
        self._look_at = 0.0

    async def turn(self, streams: Mapping[str, MeetingStream]) -> None:
        """Check for uploads when one is announced and once a second; feed those that have a place and room.

        Raises outages.
        """
        self._drop_lost(streams)
        held = [stream for stream in streams.values() if stream.is_upload and stream.state is not State.ENDED]
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + UPLOAD_POLL_S
            await in_database(uploads.settle)
            await _note_awaited(held)
            await self._take_due([stream.recording for stream in held])
        self._give_places(held)
        for key, feeder in self._feeders.items():
            if not feeder.is_over and self._has_room(feeder):
                self._start(key, partial(self._feed, feeder))
        await self._collect()

    async def close(self) -> None:
        """End the decoders of all files when the worker stops."""
        await self._announced.close()
        for step in self._steps.values():
            step.cancel()
        await asyncio.gather(*self._steps.values(), return_exceptions=True)
        for feeder in self._feeders.values():
            feeder.close(wait=True)

    def _start(self, key: str, work: Callable[[], Awaitable[object]]) -> None:
        """Begin the file's next step unless one is in progress."""
        if key not in self._steps:
            self._steps[key] = asyncio.create_task(self._contained(key, work))

    async def _collect(self) -> None:
        """Wait for the next step that ends, NO_ROOM_S at most. Raises outages."""
        if not self._steps:
            await asyncio.sleep(NO_ROOM_S)
            return
        done, _ = await asyncio.wait(self._steps.values(), timeout=NO_ROOM_S, return_when=asyncio.FIRST_COMPLETED)
        self._steps = {key: step for key, step in self._steps.items() if step not in done}
        errors = [error for step in done if (error := step.exception()) is not None]
        if errors:
            raise errors[0]

    def _drop_lost(self, streams: Mapping[str, MeetingStream]) -> None:
        """Close the files of meetings that this worker holds no more; that is no fault of the files."""
        for meeting_id, feeder in list(self._feeders.items()):
            if streams.get(meeting_id) is not feeder.stream:
                self._excused.add(meeting_id)
                self._forget(meeting_id)

    def _forget(self, meeting_id: str) -> None:
        feeder = self._feeders.pop(meeting_id, None)
        if feeder is not None:
            feeder.close()

    def _is_current(self, feeder: Feeder) -> bool:
        """Return whether the file was not closed while it was read."""
        return self._feeders.get(feeder.stream.meeting_id) is feeder

    # -- selection -----------------------------------------------------------------------------------------------------

    async def _take_due(self, held: list[Recording]) -> None:
        """Take what is due to this worker, at first what a worker left that died right after taking it."""
        for upload in await in_database(uploads.abandoned, await self._audio.active()):
            await self._claim_alone(upload)
        rows = {upload.pk: upload for upload in await in_database(uploads.waiting, but_of=crowding_owners(held))}
        while key := to_take([recording_of(upload) for upload in rows.values()], held, places=self._at_once):
            upload = rows.pop(key)
            if await in_database(uploads.take, upload):
                log.info("upload_taken", meeting=upload.pk, bytes=upload.size)
                held = [*held, recording_of(upload)]
                await self._claim_alone(upload)

    def _give_places(self, held: Sequence[MeetingStream]) -> None:
        """Open the files that have a place, and close those that have none any more."""
        over = {key for key, feeder in self._feeders.items() if feeder.is_over}
        reading = [stream for stream in held if stream.meeting_id not in over]
        chosen = self._places.choose([stream.recording for stream in reading], time.monotonic())
        for key in self._feeders.keys() - chosen - over:
            log.info("upload_makes_room", meeting=key)
            self._excused.add(key)
            self._forget(key)
        for stream in reading:
            key = stream.meeting_id
            is_due = key in chosen and time.monotonic() >= self._not_before.get(key, 0.0)
            if is_due and key not in self._feeders:
                self._start(key, partial(self._open, stream))

    async def _claim_alone(self, upload: Upload) -> None:
        """Claim the upload. After too many failures mark it as failed, so that it is not tried for ever."""
        claimed = await supervise.contained(partial(self._acquire, upload.meeting))
        if claimed.error is None:
            return
        self._put_off(upload.pk, claimed.error)
        again = await in_database(uploads.open_again, upload.pk)
        if again is not None and again.attempts > uploads.MAX_UPLOAD_ATTEMPTS:
            await in_database(uploads.fail, upload.pk, UploadFailure.CRASHED)

    async def _acquire(self, meeting: Meeting) -> None:
        """Make the meeting active, under this worker's lease unless another one has it."""
        if await self._leases.acquire(meeting.pk):
            await self._claim(meeting)
            self._on_taken()

    async def _claim(self, meeting: Meeting) -> None:
        """Become the host. If the broker has lost its file, start the log where the captions need it."""
        begin = await asyncio.to_thread(needed_from, meeting)
        await self._audio.claim(meeting.pk, self._connection, takeover=True, cursor=begin)

    # -- failures ------------------------------------------------------------------------------------------------------

    async def _contained(self, meeting_id: str, work: Callable[[], Awaitable[object]]) -> None:
        """Run one upload's work; an error puts off this upload only."""
        done = await supervise.contained(work)
        if done.error is not None:
            self._put_off(meeting_id, done.error)

    def _put_off(self, meeting_id: str, error: Exception) -> None:
        """Close the file, to be reopened where the log continues. Raises outages, which affect all uploads."""
        self._forget(meeting_id)
        if supervise.outage_of(error) is not None:
            self._excused.add(meeting_id)
            raise error
        self._not_before[meeting_id] = time.monotonic() + AGAIN_AFTER_S[0]
        kind = supervise.class_of(error)
        log.error("upload_failed", meeting=meeting_id, error=kind, where=supervise.where(error))

    # -- one file ----------------------------------------------------------------------------------------------------

    async def _open(self, stream: MeetingStream) -> None:
        """Start to feed, or give up. The attempt is counted first, so that a crash of the process counts too."""
        if await self._audio.has_ended(stream.meeting_id):
            await self._note_fed(stream)
            return
        is_excused = stream.meeting_id in self._excused
        upload = await in_database(uploads.find if is_excused else uploads.open_again, stream.meeting_id)
        self._excused.discard(stream.meeting_id)
        if upload is None:
            return
        await self._claim(upload.meeting)
        if not upload_files.path(upload.pk).exists():
            await self._give_up(stream, upload, UploadFailure.MISSING)
        elif upload.attempts > uploads.MAX_UPLOAD_ATTEMPTS:
            await self._give_up(stream, upload, UploadFailure(upload.failure or UploadFailure.CRASHED))
        else:
            await self._begin(stream, upload)

    async def _note_fed(self, stream: MeetingStream) -> None:
        """Remember that the whole file was fed before this worker took the meeting."""
        await in_database(uploads.take_up_again, stream.meeting_id)
        state = await self._audio.state(stream.meeting_id)
        stream.length_s = state.next_sample / SAMPLE_RATE
        self._feeders[stream.meeting_id] = _fed(stream, state)

    async def _begin(self, stream: MeetingStream, upload: Upload) -> None:
        state = await self._audio.state(upload.pk)
        options, limits = uploads.decode_options(upload), settings.ENVIRONMENT.media_limits
        file = RecordedFile(upload_files.path(upload.pk), options, limits=limits)
        reader = FileReader(file, state.next_sample)
        self._feeders[upload.pk] = Feeder(stream, reader, state.next_frame, state.next_sample, state.next_sample)
        if upload.is_speaker_per_channel:
            stream.has_channel_speakers = await reader.has_channels()
        if upload.seconds is None:
            stream.length_s = await reader.stated_length()
            await in_database(uploads.set_length, upload.pk, stream.length_s)

    async def _feed(self, feeder: Feeder) -> None:
        """Append the next seconds."""
        if feeder.reader is None:
            return
        blocks, error = await feeder.reader.read()
        for block in blocks:
            if not self._is_current(feeder) or not await self._append(feeder, block):
                return
        if not self._is_current(feeder):
            return
        if isinstance(error, DecoderFailed):
            await self._try_again_later(feeder, error)
        elif error is not None:
            log.warning("upload_unreadable", meeting=feeder.stream.meeting_id, reason=error.reason.value)
            await self._finish(feeder, UploadFailure(error.reason))
        elif len(blocks) < STEP:
            await self._finish(feeder)
        else:
            await self._note_going_on(feeder)

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
        feeder.stream.length_s = feeder.next_sample / SAMPLE_RATE
        file = feeder.reader.file if feeder.reader is not None else None
        await self._end(feeder, file.missing_s if file is not None else None, failure, reading_of(file))
        feeder.close()

    async def _give_up(self, stream: MeetingStream, upload: Upload, failure: UploadFailure) -> None:
        """End an upload whose file is not opened any more. The audio read before is captioned."""
        log.warning("upload_given_up", meeting=stream.meeting_id, failure=failure)
        state = await self._audio.state(stream.meeting_id)
        self._feeders[stream.meeting_id] = feeder = _fed(stream, state)
        stated_s = upload.seconds
        missing_s = None if stated_s is None else max(0.0, stated_s - feeder.next_sample / SAMPLE_RATE)
        await self._end(feeder, missing_s, failure)

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


async def _note_awaited(held: Sequence[MeetingStream]) -> None:
    """Note for whose text a program has begun to wait."""
    others = {stream.meeting_id: stream for stream in held if not stream.is_awaited}
    if others:
        for meeting_id in await in_database(uploads.awaited, list(others)):
            others[meeting_id].is_awaited = True


def _fed(stream: MeetingStream, state: LogState) -> Feeder:
    """Return the feeder of a recording of which nothing more is read."""
    return Feeder(stream, None, state.next_frame, state.next_sample, state.next_sample, is_over=True)


def recording_of(upload: Upload) -> Recording:
    """Return what is known of an upload before it is opened."""
    meeting = upload.meeting
    length_s = upload.size / BYTES_A_SECOND if upload.seconds is None else upload.seconds
    left = left_s(length_s, meeting.cursor / SAMPLE_RATE)
    return Recording(upload.pk, owner=meeting.owner_id, is_awaited=upload.is_awaited, left_s=left)


def needed_from(meeting: Meeting) -> int:
    """Return the first sample that a worker needs to take the meeting over (`MeetingStream.forgettable`)."""
    session = resumed_session(meeting, session_config(meeting, meeting.language))
    return max(0, session.audio_from - REHEAR_S * SAMPLE_RATE)


def reading_of(file: RecordedFile | None) -> uploads.Reading | None:
    """Return what was found in a file; None: nothing was read."""
    if file is None:
        return None
    return uploads.Reading(file.tracks, frozenset(file.mixed), file.sound.value, file.channel_spans)
