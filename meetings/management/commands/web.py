"""`manage.py web`: run one web process. `live` starts one; behind a proxy there can be any number."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from meetings import descriptors
from meetings.management.cli import ServerCommand, port_number
from meetings.management.schema import require_schema
from meetings.supervisor import check_port


class Command(ServerCommand):
    help = "Serves pages and sockets, by Daphne or what PARLANCE_WEB_SERVER says."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=port_number, default=8000)

    def handle(self, *_: Any, host: str, port: int, **__: Any) -> None:
        check_port(host, port)
        descriptors.raise_limit()
        require_schema()
        from meetings.asgi import application
        from meetings.serving.server import serve

        serve(application, host, port)
