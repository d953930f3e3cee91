"""The web process: which server runs it, and what every one of them holds (docs/decisions/0010).

Messages are bounded in size, a socket whose messages wait is not read, sending waits for nobody, who takes nothing of
what is sent is cut off, a message is framed once for all who are sent it, control frames are counted, connections and
bodies are bounded, slow and silent ones end, and no address is written to a log.
"""

from __future__ import annotations

from typing import Any, Protocol

from django.conf import settings

from meetings.environment import WebServer
from meetings.serving.bodies import Gate
from meetings.serving.connections import Connections


class RunnableServer(Protocol):
    """A server that listens at a known place."""

    def run(self) -> None:
        """Blocks until the process is told to stop."""


def make_server(
    kind: WebServer, application: Any, *, gate: Gate, connections: Connections, host: str, port: int
) -> RunnableServer:
    """A server of `application` with our limits. Only the chosen library is loaded."""
    if kind == "uvicorn":
        from meetings.serving.uvicorn_server import BoundedServer

        return BoundedServer(application, gate=gate, connections=connections, host=host, port=port)
    from meetings.serving import daphne_server

    return daphne_server.make_server(application, gate=gate, connections=connections, host=host, port=port)


def serve(application: Any, host: str, port: int) -> None:
    """Run the web process until it is told to stop."""
    from meetings.accounts.api_gate import TokenGate

    environment = settings.ENVIRONMENT
    connections = Connections(proxies=environment.proxies)
    kind = environment.web_server
    make_server(kind, application, gate=TokenGate(), connections=connections, host=host, port=port).run()
