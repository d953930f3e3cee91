"""The binary frame a host sends, and how fast it may send: pure arithmetic, no sockets."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from inference.audio import SAMPLE_RATE
from meetings.audio.audiolog import SAMPLE_BYTES
from meetings.sockets.errors import SocketFault

FRAME_MS = 100
HEADER = struct.Struct(">I")
MAX_PCM_BYTES = SAMPLE_RATE * SAMPLE_BYTES
"""One second."""

MAX_SPEED = 4.0
"""Times real time, sustained."""

BURST_S = 60.0
"""Audio that may come at once, beyond what an absence explains."""


@dataclass(frozen=True, slots=True)
class Frame:
    number: int
    pcm: bytes

    @property
    def seconds(self) -> float:
        return len(self.pcm) / (SAMPLE_RATE * SAMPLE_BYTES)


def parse_frame(data: bytes) -> Frame:
    """Reads a 4-byte big-endian number followed by signed 16-bit little-endian mono PCM at 16 kHz.

    Raises:
        SocketFault: `frame_too_large`, or `malformed` for a missing number, no samples, or half a sample.
    """
    pcm = data[HEADER.size :]
    if len(pcm) > MAX_PCM_BYTES:
        raise SocketFault("frame_too_large")
    if not pcm or len(pcm) % SAMPLE_BYTES:
        raise SocketFault("malformed", "A frame is a 4-byte number and whole 16-bit samples.")
    (number,) = HEADER.unpack_from(data)
    return Frame(number, pcm)


class Allowance:
    """A token bucket in seconds of audio: a returning host may send what it kept while away, a flood may not."""

    def __init__(self, now: float, *, absent_s: float) -> None:
        self._size = BURST_S + absent_s
        self._left = self._size
        self._at = now

    def spend(self, seconds: float, now: float) -> None:
        """Takes `seconds` of audio at clock time `now` (seconds, monotonic).

        Raises:
            SocketFault: `too_fast`, when more than `MAX_SPEED` times real time was sent beyond the burst.
        """
        self._left = min(self._size, self._left + (now - self._at) * MAX_SPEED)
        self._at = now
        if seconds > self._left:
            raise SocketFault("too_fast")
        self._left -= seconds
