"""Whose turn it is where people speak and recordings wait: people first, and recordings whenever nobody speaks.

While somebody speaks on and on, recordings get a little at a time, so that they too come to their end.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from meetings.worker.stream import MeetingStream

RECORDING_WAIT_S = 10.0
"""How long recordings wait for somebody to stop speaking."""

Streams = Mapping[str, MeetingStream]


def spoken(streams: Streams) -> dict[str, MeetingStream]:
    """The meetings in which people speak."""
    return {key: stream for key, stream in streams.items() if not stream.is_upload}


def recorded(streams: Streams) -> dict[str, MeetingStream]:
    """The meetings that are made from uploads."""
    return {key: stream for key, stream in streams.items() if stream.is_upload}


class Priority:
    """Belongs to one kind of work of a worker (captions, speakers …), and to its thread."""

    def __init__(self) -> None:
        self._recorded_at = time.monotonic()

    def admits_recordings(self, streams: Streams) -> bool:
        """Whether recordings may have a turn now. To be asked when one could be used: a yes counts as taken."""
        now = time.monotonic()
        is_free = not any(stream.is_speaking or stream.phase for stream in spoken(streams).values())
        if is_free or now - self._recorded_at >= RECORDING_WAIT_S:
            self._recorded_at = now
            return True
        return False

    def admitted(self, streams: Streams) -> dict[str, MeetingStream]:
        """The meetings whose turn it is."""
        return dict(streams) if self.admits_recordings(streams) else spoken(streams)
