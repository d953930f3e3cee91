"""Read the recordings of ended meetings again, one at a time, when nothing else waits for the device.

If the worker dies, the next one feeds the file again and goes on after the last piece that is stored. What is decoded
depends on the file alone, so that changes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import structlog
from django.conf import settings

from inference.models.residency.drain_lock import ModelAsleep
from inference.models.residency.pool import ModelPool
from inference.speech.recorded_file import SPOKEN_TRACKS, RecordedFile
from inference.speech.second_pass import Piece, SecondPass, SpokenLanguages, decode
from meetings import supervise
from meetings.broker.notify import notify_change
from meetings.device import watchdog
from meetings.device.asr import ASR
from meetings.models import Caption, Meeting
from meetings.queries import in_database
from meetings.store import recordings, second_passes, uploads
from meetings.store.requeue import languages_of, requeue
from meetings.store.second_passes import Claim
from meetings.store.transcript import NoSuchMeeting
from meetings.worker import model_sleep
from meetings.worker.file_reader import STEP, FileReader
from meetings.worker.isolation import FATAL
from meetings.worker.stream import MeetingStream, session_config

T = TypeVar("T")
OnDevice = Callable[[Callable[[], object]], Awaitable[object]]
"""Runs a function in the thread that owns the device."""

log = structlog.get_logger(__name__)

SECOND_PASS_POLL_S = 1.0
BUSY_WAIT_S = 30.0
"""How long a reading waits for a moment without other work, until it takes one turn all the same."""

IDLE_POLL_S = 0.1
RENEW_S = 10.0


@dataclass(slots=True, eq=False)
class _Reading:
    """One recording that is read again."""

    claim: Claim
    file: FileReader
    second_pass: SecondPass
    pieces: list[Piece] = field(default_factory=list)
    """Told, and not stored yet."""
    is_read: bool = False
    """Whether the file is at its end."""


class SecondPassStep:
    """The second passes of one worker. Runs in its event loop."""

    def __init__(self, pool: ModelPool, on_device: OnDevice, *, places: int) -> None:
        """`places`: utterances that are decoded together."""
        self._pool = pool
        self._on_device = on_device
        self._places = places
        self._reading: _Reading | None = None
        self._had_turn_at = 0.0
        self._renewed_at = 0.0

    async def turn(self, streams: Mapping[str, MeetingStream]) -> None:
        """Do the next piece of work, or wait. Raises outages and errors of the device."""
        if self._reading is None:
            await in_database(second_passes.let_sounds_go)
            claim = await in_database(second_passes.claim) if second_passes.is_on() else None
            if claim is None:
                await asyncio.sleep(SECOND_PASS_POLL_S)
            else:
                await self._contained(claim, partial(self._open, claim))
        elif self._may_work(streams):
            await self._contained(self._reading.claim, partial(self._go_on, self._reading))
        else:
            await self._contained(self._reading.claim, partial(self._keep, self._reading))
            await asyncio.sleep(IDLE_POLL_S)

    async def close(self) -> None:
        """Give the recording back when the worker stops."""
        if self._reading is not None:
            # If the database is away, the claim runs out.
            await supervise.contained(partial(in_database, second_passes.release, self._reading.claim))
            self._forget(wait=True)

    def _may_work(self, streams: Mapping[str, MeetingStream]) -> bool:
        """Return whether nothing else waits for the device, or this has waited long enough."""
        is_busy = any(stream.has_work or stream.is_speaking or stream.phase for stream in streams.values())
        if is_busy and time.monotonic() - self._had_turn_at < BUSY_WAIT_S:
            return False
        self._had_turn_at = time.monotonic()
        return True

    async def _contained(self, claim: Claim, work: Callable[[], Awaitable[object]]) -> None:
        """Do one recording's work; an error puts off this one only. Raises outages."""
        done = await supervise.contained(work, fatal=FATAL)
        error = done.error
        if error is None or isinstance(error, ModelAsleep):
            return
        if supervise.outage_of(error) is not None:
            raise error  # what is told and not stored waits
        self._forget()
        if isinstance(error, (second_passes.ClaimLost, NoSuchMeeting)):
            log.info("second_pass_lost", meeting=claim.meeting_id)
            return
        kind = supervise.class_of(error)
        log.error("second_pass_failed", meeting=claim.meeting_id, error=kind, where=supervise.where(error))
        await in_database(second_passes.release, claim, error=kind)

    async def _open(self, claim: Claim) -> None:
        self._reading = await in_database(_reading, claim)
        log.info("second_pass_begun", meeting=claim.meeting_id, position=claim.position)

    async def _keep(self, reading: _Reading) -> None:
        if time.monotonic() - self._renewed_at >= RENEW_S:
            self._renewed_at = time.monotonic()
            await in_database(second_passes.renew, reading.claim)

    async def _go_on(self, reading: _Reading) -> None:
        """Decode what waits, else read on. Store what is told."""
        await self._keep(reading)
        requests = len(reading.second_pass.requests())
        if requests >= self._places or (requests and reading.is_read):
            await self._on_device(lambda: self._decode(reading.second_pass))
        elif not reading.is_read:
            await self._read(reading)
        reading.pieces += reading.second_pass.pieces()
        is_over = reading.is_read and not reading.second_pass.requests()
        if reading.pieces:
            await self._store(reading, is_last=is_over)
        if is_over:
            await self._finish(reading)

    async def _read(self, reading: _Reading) -> None:
        blocks, error = await reading.file.read()
        for block in blocks:
            await asyncio.to_thread(reading.second_pass.feed, block)
        if error is not None or len(blocks) < STEP:
            await asyncio.to_thread(reading.second_pass.flush)
            reading.is_read = True

    def _decode(self, second_pass: SecondPass) -> None:
        """Decode one batch. Raises ModelAsleep while a summary is written."""
        model_sleep.wake(self._pool)
        with self._pool.use(ASR, wait_s=0.0) as transcriber, watchdog.model_call("second pass"):
            decode(second_pass, transcriber, at_once=self._places)

    async def _store(self, reading: _Reading, *, is_last: bool) -> None:
        claim = reading.claim
        seq = await in_database(second_passes.revise, claim, reading.pieces, is_last=is_last)
        if seq is not None:
            reading.pieces = []
            await asyncio.to_thread(notify_change, claim.meeting_id, seq)

    async def _finish(self, reading: _Reading) -> None:
        meeting_id = reading.claim.meeting_id
        await in_database(second_passes.finish, reading.claim)
        self._forget()
        log.info("second_pass_done", meeting=meeting_id)
        await in_database(_translate_again, meeting_id)

    def _forget(self, *, wait: bool = False) -> None:
        if self._reading is not None:
            self._reading.file.close(wait=wait)
            self._reading = None


def _reading(claim: Claim) -> _Reading:
    """Open the recording. Raises FileNotFoundError if it is gone, ClaimLost if the meeting is."""
    meeting = Meeting.objects.filter(pk=claim.meeting_id).first()
    if meeting is None:
        raise second_passes.ClaimLost
    path = second_passes.source(claim.meeting_id)
    if path is None:
        raise FileNotFoundError(claim.meeting_id)
    upload = uploads.find(claim.meeting_id)
    is_original = upload is not None and path != recordings.flac_path(claim.meeting_id)
    options = uploads.decode_options(upload) if upload is not None and is_original else SPOKEN_TRACKS
    file = RecordedFile(path, options, limits=settings.ENVIRONMENT.media_limits)
    spans = Caption.objects.filter(meeting=meeting).exclude(text="").values_list("start", "end", "language")
    languages = SpokenLanguages(spans.iterator())
    second_pass = SecondPass(session_config(meeting, meeting.language), languages.at, start=claim.position)
    return _Reading(claim, FileReader(file, 0), second_pass)


def _translate_again(meeting_id: str) -> None:
    """Have a worker translate the lines that changed, if any were translated."""
    meeting = Meeting.objects.filter(pk=meeting_id).first()
    if meeting is not None and (meeting.languages or languages_of(meeting)):
        requeue(meeting_id, meeting.last_seq)
