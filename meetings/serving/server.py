"""The web process: which server runs it, and what each of them guarantees (docs/decisions/0010).

Messages are bounded in size. A socket with too many waiting messages is not read. Sending never waits, a client that
does not read is cut off, and a message is framed once for all its recipients. Control frames are counted, connections
and bodies are bounded, slow and silent clients are closed, and no address is logged.
"""

from __future__ import annotations

from typing import Any, Protocol

from django.conf import settings

from meetings.environment import WebServer
from meetings.serving.bodies import Gate
from meetings.serving.connections import Connections


class RunnableServer(Protocol):
    """A server bound to a host and port."""

    def run(self) -> None:
        """Serve until the process is stopped."""


def make_server(
    kind: WebServer, application: Any, *, gate: Gate, connections: Connections, host: str, port: int
) -> RunnableServer:
    """Return a server of `application` with our limits. Only the chosen library is imported."""
    if kind == "uvicorn":
        from meetings.serving.uvicorn_server import BoundedServer

        return BoundedServer(application, gate=gate, connections=connections, host=host, port=port)
    from meetings.serving import daphne_server

    return daphne_server.make_server(application, gate=gate, connections=connections, host=host, port=port)


def serve(application: Any, host: str, port: int) -> None:
    """Run the web process until it is stopped."""
    from meetings.accounts.api_gate import TokenGate

    environment = settings.ENVIRONMENT
    connections = Connections(proxies=environment.proxies)
    kind = environment.web_server
    make_server(kind, application, gate=TokenGate(), connections=connections, host=host, port=port).run()
