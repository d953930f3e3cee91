"""WebSocket messages as both servers frame and bound them."""

from __future__ import annotations

import json
import struct
from functools import lru_cache

from meetings.live.errors import SocketFault

MAX_MESSAGE_BYTES = 65_536
"""Twice the largest audio frame."""

MAX_UNREAD_BYTES = 1_000_000
"""What may lie for one socket that does not take it; beyond that it is cut off, whatever it was."""

PING_S = 15

SAME_TEXTS = 64
"""Texts whose frames are kept for the sockets that are sent the same next."""


@lru_cache(SAME_TEXTS)
def text_frame(text: str) -> bytes:
    """The text as a WebSocket frame from server to client (RFC 6455, 5.2): whole, unmasked, not compressed."""
    payload = text.encode()
    if len(payload) < 126:
        return struct.pack(">BB", 0x81, len(payload)) + payload
    if len(payload) < 65_536:
        return struct.pack(">BBH", 0x81, 126, len(payload)) + payload
    return struct.pack(">BBQ", 0x81, 127, len(payload)) + payload


def fault_text(fault: SocketFault) -> str:
    """What a socket is told before a server closes it that no consumer was asked about."""
    return json.dumps({"type": "error", "code": fault.code, "message": str(fault)})
