"""`manage.py inference`: run one worker that captions meetings; any number of them share the work."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
from argparse import ArgumentParser
from typing import Any

from django.conf import settings

from inference.models.device import choose_device
from meetings import descriptors
from meetings.broker.client import check_broker, connect, connect_blocking
from meetings.broker.incidents import IncidentFile
from meetings.device.asr import speech_model
from meetings.device.engines import loaders
from meetings.management.cli import ServerCommand
from meetings.management.schema import require_schema
from meetings.worker.worker import Worker


class Command(ServerCommand):
    help = "Runs an inference worker."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--name", default=socket.gethostname(), help="shown in logs and metrics")

    def handle(self, *_: Any, name: str, **__: Any) -> None:
        speech_model(settings.ENVIRONMENT)
        choose_device(settings.ENVIRONMENT.device)
        descriptors.raise_limit()
        require_schema()
        check_broker()
        asyncio.run(_work(unique_name(name)))


MAX_GIVEN_NAME = 50
"""Characters kept of a name: with its unique suffix, it must fit into a row."""


def unique_name(name: str) -> str:
    """Return a name unique to this process: it holds leases, and containers may share host name and process id."""
    return f"{name[:MAX_GIVEN_NAME]}-{os.getpid()}-{secrets.token_hex(4)}"


async def _work(name: str) -> None:
    broker, blocking = connect(), connect_blocking()
    worker = Worker(name, loaders(settings.ENVIRONMENT), broker, blocking=blocking)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stop)
    async with IncidentFile(broker, name):
        await worker.run()
    await blocking.aclose()
    await broker.aclose()
