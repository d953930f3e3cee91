"""Framing and bounds of WebSocket messages, shared by both servers."""

from __future__ import annotations

import json
import struct
from functools import lru_cache

from meetings.live.errors import SocketFault

MAX_MESSAGE_BYTES = 65_536
"""Twice the largest audio frame."""

MAX_UNREAD_BYTES = 1_000_000
"""Unsent bytes of one socket above which it is cut off."""

PING_S = 15

SAME_TEXTS = 64
"""Texts whose frames are cached for further sockets that are sent the same."""


@lru_cache(SAME_TEXTS)
def text_frame(text: str) -> bytes:
    """Encode the text as a server-to-client WebSocket frame (RFC 6455, 5.2): whole, unmasked, not compressed."""
    payload = text.encode()
    if len(payload) < 126:
        return struct.pack(">BB", 0x81, len(payload)) + payload
    if len(payload) < 65_536:
        return struct.pack(">BBH", 0x81, 126, len(payload)) + payload
    return struct.pack(">BBQ", 0x81, 127, len(payload)) + payload


def fault_text(fault: SocketFault) -> str:
    """Encode the error that a server sends before it closes a socket without involving a consumer."""
    return json.dumps({"type": "error", "code": fault.code, "message": str(fault)})
