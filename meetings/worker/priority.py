"""Give live meetings priority over recordings: recordings run whenever nothing is being spoken.

During continuous speech recordings get a small share, so that they finish too.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from meetings.worker.stream import MeetingStream

RECORDING_WAIT_S = 10.0
"""How long recordings wait for a pause in live speech."""

Streams = Mapping[str, MeetingStream]


def spoken(streams: Streams) -> dict[str, MeetingStream]:
    """Return the live meetings."""
    return {key: stream for key, stream in streams.items() if not stream.is_upload}


def recorded(streams: Streams) -> dict[str, MeetingStream]:
    """Return the meetings made from uploads."""
    return {key: stream for key, stream in streams.items() if stream.is_upload}


class Priority:
    """The priority of one stage (captions, speakers …). Use it in that stage's thread only."""

    def __init__(self) -> None:
        self._recorded_at = time.monotonic()

    def admits_recordings(self, streams: Streams) -> bool:
        """Return whether recordings may have a turn now. True counts as taken, so ask only when one can be used."""
        now = time.monotonic()
        is_free = not any(stream.is_speaking or stream.phase for stream in spoken(streams).values())
        if is_free or now - self._recorded_at >= RECORDING_WAIT_S:
            self._recorded_at = now
            return True
        return False

    def admitted(self, streams: Streams) -> dict[str, MeetingStream]:
        """Return the meetings that may run now."""
        return dict(streams) if self.admits_recordings(streams) else spoken(streams)


class RoundRobin:
    """Recordings in turn, for stages in which each of them does one piece of work at a time."""

    def __init__(self) -> None:
        self._last = ""

    def ordered(self, streams: Streams) -> list[MeetingStream]:
        """Return the meetings made from uploads, beginning after the one that had its turn last."""
        found = sorted(recorded(streams).values(), key=lambda stream: stream.meeting_id)
        return sorted(found, key=lambda stream: stream.meeting_id <= self._last)

    def took(self, stream: MeetingStream) -> None:
        """Note that it was this one's turn."""
        self._last = stream.meeting_id
