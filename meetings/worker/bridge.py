"""Provisional captions during a swap: a small model writes partials while the main models are away."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import structlog

from inference.models.loading import ModelCorrupt, ModelMissing
from inference.speech.asr import Transcriber
from inference.speech.bridge import InterimTranscriber
from inference.types import CaptionEvent
from meetings.device import watchdog
from meetings.worker.stream import MeetingStream

log = structlog.get_logger(__name__)


class SwapBridge:
    """A worker's bridge, if it has one. Call `turn` and `end` in the thread that owns the streams' sessions."""

    def __init__(self, load: Callable[[], Transcriber] | None) -> None:
        self._load = load
        self._bridge: InterimTranscriber[str] | None = None

    def prepare(self) -> None:
        """Load the small model on first use. Without its weights there is no bridge."""
        if self._load is None or self._bridge is not None:
            return
        try:
            with watchdog.moving():
                self._bridge = InterimTranscriber(self._load())
        except (ModelMissing, ModelCorrupt) as error:
            self._load = None
            log.error("bridge_unavailable", error=str(error))

    @property
    def is_ready(self) -> bool:
        return self._bridge is not None

    def turn(self, streams: Mapping[str, MeetingStream]) -> dict[str, list[CaptionEvent]]:
        """Decode once, for the meeting that has waited longest. Return nothing without a bridge."""
        if self._bridge is None:
            return {}
        for meeting_id, stream in streams.items():
            self._bridge.follow(meeting_id, stream.session, stream.audio_after)
        return {meeting_id: list(partials) for meeting_id, partials in self._bridge.step().items()}

    def end(self) -> None:
        """End the bridge: the main models are back and write the finals."""
        if self._bridge is not None:
            self._bridge.end()
