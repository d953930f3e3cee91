"""The web process: which server runs it, and what every one of them holds (docs/decisions/0010).

Messages are bounded in size, a socket whose messages wait is not read, sending waits for nobody, who takes nothing of
what is sent is cut off, a message is framed once for all who are sent it, control frames are counted, connections and
bodies are bounded, slow and silent ones end, and no address is written to a log.
"""

from __future__ import annotations

import json
import struct
from functools import lru_cache
from typing import Any, Protocol

from django.conf import settings

from meetings.environment import WebServer
from meetings.live.errors import SocketFault
from meetings.serving.bodies import Gate
from meetings.serving.connections import Connections

MAX_MESSAGE_BYTES = 65_536
"""Twice the largest audio frame."""

MAX_UNREAD_BYTES = 1_000_000
"""What may lie for one socket that does not take it; beyond that it is cut off, whatever it was."""

PING_S = 15

SAME_TEXTS = 64
"""Texts whose frames are kept for the sockets that are sent the same next."""


class RunnableServer(Protocol):
    """A server that listens at a known place."""

    def run(self) -> None:
        """Blocks until the process is told to stop."""


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


def make_server(
    kind: WebServer, application: Any, *, gate: Gate, connections: Connections, host: str, port: int
) -> RunnableServer:
    """A server of `application` with our limits. Only the chosen library is loaded."""
    if kind == "uvicorn":
        from meetings.serving.uvicorn_server import BoundedServer

        return BoundedServer(application, gate=gate, connections=connections, host=host, port=port)
    from meetings.serving import daphne_server

    return daphne_server.make_server(application, gate=gate, connections=connections, host=host, port=port)


def serve(host: str, port: int) -> None:
    """Runs the web process until it is told to stop."""
    from meetings.accounts.api_gate import TokenGate
    from meetings.asgi import application

    environment = settings.ENVIRONMENT
    connections = Connections(proxies=environment.proxies)
    kind = environment.web_server
    make_server(kind, application, gate=TokenGate(), connections=connections, host=host, port=port).run()
