"""Captions out, the models' part: what was read is heard and decoded, for all meetings together."""

from __future__ import annotations

from inference.engine import Engine
from inference.residency.gate import ModelAsleep
from inference.residency.pool import ModelPool
from inference.types import CaptionEvent
from meetings.device.recognizing import ASR
from meetings.workers import resting
from meetings.workers.bridging import Bridging
from meetings.workers.precedence import Precedence, Streams, recorded, spoken
from meetings.workers.stream import Findings

AWAY_S = 0.25
"""How long a turn waits for the models while a summary is written; audio is taken in between."""

BRIDGED_S = 0.05
"""The same, where provisional captions are written meanwhile."""


class Captioning:
    """Belongs to the thread that owns the device."""

    def __init__(self, pool: ModelPool, bridging: Bridging) -> None:
        """Brings the pool's models to the device. Raises what they raise when they cannot be loaded."""
        self._pool = pool
        self._bridging = bridging
        self._precedence = Precedence()
        pool.start()
        with pool.use(ASR) as transcriber:
            self._engine = Engine(transcriber)

    @property
    def engine(self) -> Engine:
        """Its timings may be read by others."""
        return self._engine

    def turn(self, streams: Streams) -> dict[str, Findings]:
        """Takes in what was read and decodes once; what came of it, by meeting."""
        if any(stream.has_work for stream in streams.values()):
            resting.wake(self._pool)
        found = {meeting_id: Findings() for meeting_id in streams}
        for meeting_id, stream in streams.items():
            stream.take_in(found[meeting_id])
        for meeting_id, heard in self._decode(streams).items():
            found[meeting_id].add(heard)
        for meeting_id, stream in streams.items():
            if found[meeting_id].progress is None:
                found[meeting_id].progress = stream.session.progress()
        return found

    def _decode(self, streams: Streams) -> dict[str, list[CaptionEvent]]:
        """One step of the engine, or of the bridge while the summariser has its turn."""
        try:
            with self._pool.use(ASR, wait_s=BRIDGED_S if self._bridging.is_ready else AWAY_S) as transcriber:
                self._engine.transcriber = transcriber
                self._bridging.end()
                return self._step(streams)
        except ModelAsleep:
            return self._bridging.turn(streams)

    def _step(self, streams: Streams) -> dict[str, list[CaptionEvent]]:
        """People first; recordings while nothing of theirs is to be decoded, and one utterance at a time."""
        people = {key: stream.session for key, stream in spoken(streams).items()}
        heard = self._engine.step(people)
        waiting = {key: stream.session for key, stream in recorded(streams).items() if stream.session.backlog}
        if heard or not waiting or not self._precedence.admits_recordings(streams):
            return heard
        return self._engine.step(waiting, live=False, limit=1 if people else None)
