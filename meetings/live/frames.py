"""The binary audio frame of a host, and the rate limit for frames."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from inference.audio import SAMPLE_RATE
from meetings.broker.audio_log import SAMPLE_BYTES, Pace
from meetings.live.errors import SocketFault

FRAME_MS = 100
HEADER = struct.Struct(">I")
MAX_PCM_BYTES = SAMPLE_RATE * SAMPLE_BYTES
"""One second."""

MAX_SPEED = 4.0
"""Times real time, sustained."""

BURST_S = 60.0
"""Burst of audio allowed in addition to what an absence explains."""

MAX_ABSENCE_S = 8 * 3600.0
"""Longest absence whose audio may arrive at once (0.9 GB): a working day in a browser's storage."""

PACE = Pace(
    samples_a_ms=MAX_SPEED * SAMPLE_RATE / 1000,
    at_once=int(BURST_S * SAMPLE_RATE),
    absence=int(MAX_ABSENCE_S * SAMPLE_RATE),
)
"""The pace of a host. A returning host may send what it kept while away, but not flood the log."""


@dataclass(frozen=True, slots=True)
class Frame:
    number: int
    pcm: bytes

    @property
    def seconds(self) -> float:
        return len(self.pcm) / (SAMPLE_RATE * SAMPLE_BYTES)


def parse_frame(data: bytes) -> Frame:
    """Parse a 4-byte big-endian number followed by signed 16-bit little-endian mono PCM at 16 kHz.

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
