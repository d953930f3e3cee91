"""Transcribe: take in the audio that was read, and decode it for all meetings together."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from inference.models.device import Device
from inference.models.residency.drain_lock import ModelAsleep
from inference.models.residency.pool import ModelPool
from inference.speech.engine import Decoded, Engine
from inference.speech.session import CaptionSession
from inference.speech.whisper import CPU_WORKERS, GPU_BATCH
from inference.types import CaptionEvent
from meetings.device import watchdog
from meetings.device.asr import ASR
from meetings.supervise import contained_call
from meetings.worker import model_sleep
from meetings.worker.bridge import SwapBridge
from meetings.worker.isolation import DeviceFailed
from meetings.worker.priority import Priority, Streams, recorded, spoken
from meetings.worker.recording_scheduler import Turns
from meetings.worker.stream import TurnResult

log = structlog.get_logger(__name__)

ASR_AWAY_S = 0.25
"""How long a turn waits for the models while a summary is written. Audio is taken in between turns."""

BRIDGED_S = 0.05
"""The same while the bridge writes provisional captions."""


@dataclass(slots=True)
class Turn:
    """The result of one turn, by meeting."""

    found: dict[str, TurnResult] = field(default_factory=dict)
    failed: dict[str, Exception] = field(default_factory=dict)
    """Meetings that failed. Their results of this turn are discarded."""


class TranscribeStep:
    """Transcribe a worker's meetings. Runs in the thread that owns the device."""

    def __init__(self, pool: ModelPool, bridge: SwapBridge) -> None:
        """Start the pool. Raises what its models raise when they cannot be loaded."""
        self._pool = pool
        self._bridge = bridge
        self._priority = Priority()
        self._turns = Turns()
        pool.start()
        with pool.use(ASR) as transcriber:
            self._engine = Engine(transcriber, max_batch=CPU_WORKERS if pool.device.kind == "cpu" else GPU_BATCH)
        self.places = places_of(pool.device, self._engine)
        """Utterances of recordings that are decoded at once."""

    @property
    def engine(self) -> Engine:
        """The engine, whose timings other threads may read."""
        return self._engine

    def turn(self, streams: Streams) -> Turn:
        """Take in what was read, and decode one batch.

        Raises DeviceFailed when no audio can be decoded any more.
        """
        if any(stream.has_work for stream in streams.values()):
            model_sleep.wake(self._pool)
        turn = Turn()
        with watchdog.model_call("captioning") as call:
            for meeting_id, stream in streams.items():
                result = TurnResult()
                taken = contained_call(lambda: stream.take_in(result))  # noqa: B023 - called at once
                self._note(turn, meeting_id, result, taken.error)
                watchdog.watchdog.restart(call)
            self._decode({key: stream for key, stream in streams.items() if key not in turn.failed}, turn)
        for meeting_id, result in turn.found.items():
            if result.progress is None:
                result.progress = streams[meeting_id].session.progress()
        return turn

    def _note(self, turn: Turn, meeting_id: str, result: TurnResult, error: Exception | None) -> None:
        if error is None:
            turn.found[meeting_id] = result
        else:
            turn.found.pop(meeting_id, None)
            turn.failed[meeting_id] = error

    def _decode(self, streams: Streams, turn: Turn) -> None:
        """Run one step of the engine, or of the bridge while the summariser uses the device."""
        try:
            with self._pool.use(ASR, wait_s=BRIDGED_S if self._bridge.is_ready else ASR_AWAY_S) as transcriber:
                self._engine.transcriber = transcriber
                self._bridge.end()
                self._step(streams, turn)
        except ModelAsleep:
            bridged = contained_call(lambda: self._bridge.turn(streams))
            if bridged.error is not None:
                log.warning("bridge_failed", error=type(bridged.error).__name__)
            for meeting_id, events in (bridged.value or {}).items():
                turn.found[meeting_id].add(events)

    def _step(self, streams: Streams, turn: Turn) -> None:
        """Decode live meetings first. Recordings follow when no live audio waits, beside people one utterance."""
        people = {key: stream.session for key, stream in spoken(streams).items()}
        heard = self._decode_and_accept(people, turn)
        waiting = [stream for stream in recorded(streams).values() if stream.session.backlog]
        if heard or not waiting or not self._priority.admits_recordings(streams):
            return
        places = 1 if people else self.places
        chosen = self._turns.next([stream.recording for stream in waiting], places=places)
        self._decode_and_accept({key: streams[key].session for key in chosen}, turn, live=False, limit=places)

    def _decode_and_accept(
        self, sessions: Mapping[str, CaptionSession], turn: Turn, *, live: bool = True, limit: int | None = None
    ) -> bool:
        """Decode one batch; return whether there was any."""
        batch = contained_call(lambda: self._engine.decode(sessions, live=live, limit=limit))
        decoded = batch.value if batch.value is not None else self._decode_one_by_one(sessions, turn, live=live)
        for item in decoded:
            if item.key in turn.failed:
                continue
            accepted = contained_call(lambda: self._accept(sessions, item))  # noqa: B023 - called at once
            if accepted.error is not None:
                self._note(turn, item.key, TurnResult(), accepted.error)
            else:
                turn.found[item.key].add(accepted.value or [])
        return bool(decoded) or batch.error is not None

    def _accept(self, sessions: Mapping[str, CaptionSession], item: Decoded[str]) -> list[CaptionEvent]:
        return sessions[item.key].accept(item.request, item.hypothesis)

    def _decode_one_by_one(
        self, sessions: Mapping[str, CaptionSession], turn: Turn, *, live: bool
    ) -> Sequence[Decoded[str]]:
        """Decode a failed batch one request at a time: a request that fails alone is its meeting's own failure."""
        decoded: list[Decoded[str]] = []
        for meeting_id, session in sessions.items():
            alone = contained_call(lambda: self._engine.decode({meeting_id: session}, live=live, limit=1))  # noqa: B023
            if alone.error is not None:
                self._probe(alone.error)
                self._note(turn, meeting_id, TurnResult(), alone.error)
            decoded += alone.value or []
        return decoded

    def _probe(self, error: Exception) -> None:
        """Raise DeviceFailed if silence cannot be decoded either, so that no meeting is blamed."""
        probed = contained_call(self._engine.probe)
        if probed.error is not None:
            raise DeviceFailed(f"Nothing can be decoded any more: {type(error).__name__}.") from error


def places_of(device: Device, engine: Engine) -> int:
    """Return the places of a batch that recordings share: a CPU decodes as many utterances at once as it has cores."""
    if device.kind != "cpu":
        return engine.max_batch
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(2, min(engine.max_batch, cores))
