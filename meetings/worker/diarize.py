"""Diarize in a thread of its own, next to the captions. Text never waits for speaker labels."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

import numpy as np
import structlog

from inference.diarization.local_speakers import Listener, LocalVoice
from inference.diarization.turns import SpeakerTurns
from inference.models.residency.drain_lock import ModelAsleep
from inference.models.residency.pool import ModelPool
from meetings.device import watchdog
from meetings.device.diarization import SPEAKERS
from meetings.models import Stage
from meetings.queries import in_database
from meetings.store import speakers, transcript, uploads
from meetings.supervise import contained_call
from meetings.worker.isolation import Isolation, ModelFailed
from meetings.worker.model_thread import ModelThread
from meetings.worker.priority import RoundRobin, spoken
from meetings.worker.publisher import Publisher
from meetings.worker.stream import MeetingStream

T = TypeVar("T")

log = structlog.get_logger(__name__)

LABEL_BATCH = 100
"""Utterances per transaction: other writers wait for some tens of milliseconds at most."""

NO_WINDOW_S = 0.1
"""How long to wait for audio when no meeting has a window."""


class ForgivingListener:
    """A listener that reports no voices for audio that its model fails on, so that the meeting goes on."""

    def __init__(self, listener: Listener, meeting_id: str) -> None:
        self._listener = listener
        self._meeting_id = meeting_id

    def listen(self, audio: np.ndarray) -> tuple[LocalVoice, ...]:
        """Listen like `Listener.listen`. Raises ModelFailed if the model fails on noise too."""
        heard = contained_call(lambda: self._listener.listen(audio))
        if heard.value is not None:
            return heard.value
        noise = np.random.default_rng(0).normal(0.0, 0.01, audio.shape).astype(np.float32)
        if contained_call(lambda: self._listener.listen(noise)).error is not None:
            raise ModelFailed("The model for speakers fails whatever it is given.") from heard.error
        log.error("window_not_heard", meeting=self._meeting_id, error=type(heard.error).__name__)
        return ()


class DiarizeStep:
    """Diarize a worker's meetings. Without the models captions go on without speaker labels."""

    def __init__(self, pool: ModelPool, publisher: Publisher, isolation: Isolation) -> None:
        self._publisher = publisher
        self._isolation = isolation
        self._model = ModelThread(pool, SPEAKERS)
        self._round_robin = RoundRobin()
        self._one_recording = asyncio.Lock()
        """People wait for one window of a recording at most, however many recordings are finished at once."""
        self._storing = asyncio.Lock()
        """Serialize label writes, so that the final pass overwrites live labels and never the reverse."""

    @property
    def seconds(self) -> float:
        """Seconds spent listening."""
        return self._model.seconds

    def unheard_s(self, stream: MeetingStream) -> float:
        """Return the seconds of audio not listened to yet, or 0.0 where there is no diarization."""
        return stream.voices.waiting_s() if self._model.is_ready or not self._model.has_tried else 0.0

    async def turn(self, streams: Mapping[str, MeetingStream]) -> None:
        """Process one window of every live meeting, then one of the next recording. Load the models first."""
        await self._model.load()
        listened = [await self._listen_contained(stream) for stream in spoken(streams).values()]
        for stream in self._round_robin.ordered(streams):
            if await self._listen_contained(stream):
                self._round_robin.took(stream)
                listened.append(True)
                break
        if not any(listened):
            await asyncio.sleep(NO_WINDOW_S)

    async def _listen_contained(self, stream: MeetingStream) -> bool:
        """Process one window, with errors counted against this meeting. Do nothing while a summary is written."""
        if Stage.SPEAKERS in stream.set_aside:
            return False
        with contextlib.suppress(ModelAsleep):
            return bool(await self._isolation.guard(stream, Stage.SPEAKERS, lambda: self._listen(stream)))
        return False

    async def finish(self, stream: MeetingStream) -> None:
        """Process the remaining audio of an ended meeting, cluster all of it once more, and wipe the voice prints.

        Load the models first if this worker has just started. Channels that are speakers need none.
        """
        if stream.has_channel_speakers:
            async with self._storing:
                await self._store(stream, await in_database(uploads.channel_turns, stream.meeting_id))
            return
        await self._model.wait_until_loaded()
        if not self._model.is_ready:
            return
        stream.voices.rest()
        while await self._listen_or_wait(stream):
            pass
        async with self._turn_of(stream), self._storing, self._isolation.trial(stream, Stage.SPEAKERS):
            await self._store(stream, await self._model.run(lambda: self._conclude(stream)))

    async def _listen_or_wait(self, stream: MeetingStream) -> bool:
        """Process one window, after any summary in progress, so that no audio stays unlabelled."""
        while True:
            with contextlib.suppress(ModelAsleep):
                return await self._listen(stream)

    async def _listen(self, stream: MeetingStream) -> bool:
        """Process one window and store its labels. Raises ModelAsleep while a summary is written."""
        if not self._model.is_ready:
            return False
        async with self._turn_of(stream), self._storing:
            async with self._isolation.trial(stream, Stage.SPEAKERS):
                heard = await self._model.run(lambda: self._timed(stream))
            if stream.awaits_labels:
                stream.awaits_labels = False
                stream.voices.ask_again()
            await self._store(stream, stream.voices.take_news())
        return heard

    def _turn_of(self, stream: MeetingStream) -> AbstractAsyncContextManager[object]:
        """Return the lock that recordings pass on from one to the next; people need none."""
        return self._one_recording if stream.is_upload else contextlib.nullcontext()

    async def _store(self, stream: MeetingStream, news: SpeakerTurns | None) -> None:
        """Store the labels in small batches, so that other writers wait only briefly for the database."""
        if news is None:
            return
        try:
            utterances = await self._publisher.store(stream, speakers.utterances_of, stream.meeting_id, news)
            for start in range(0, len(utterances), LABEL_BATCH):
                some = utterances[start : start + LABEL_BATCH]
                await self._publisher.store_and_publish(stream, speakers.label_captions, stream.lease, news, some)
        except transcript.LeaseLost:
            log.info("labels_come_too_late", meeting=stream.meeting_id)
        stream.awaits_translation = True

    def _timed(self, stream: MeetingStream) -> bool:
        """Process one window; wake sleeping models only if there is one. Raises ModelAsleep."""
        if not stream.voices.has_window():
            return False
        with self._model.use("listening") as listener:
            return stream.voices.listen(ForgivingListener(listener, stream.meeting_id))

    def _conclude(self, stream: MeetingStream) -> SpeakerTurns | None:
        with watchdog.writing():
            return stream.voices.conclude()
