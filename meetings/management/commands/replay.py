"""`manage.py replay`: stream a recorded file into a meeting."""

from __future__ import annotations

import asyncio
import sys
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management import CommandError
from tqdm import tqdm

from meetings.accounts.link_tokens import meeting_token
from meetings.batch.recording import Hearing
from meetings.batch.replay import FRAME_S, Replay, file_frames
from meetings.exit_codes import BAD_INPUT, FAILURE
from meetings.management.base_url import base_url
from meetings.management.cli import ParlanceCommand
from meetings.models import Meeting


class Command(ParlanceCommand):
    help = "Streams a recorded file into a meeting through the host socket; exits when all of it is stored."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path)
        parser.add_argument("--meeting", required=True, metavar="ID")
        parser.add_argument("--speed", type=_speed, default=1.0, help="times real time; default: 1.0")
        parser.add_argument("--server", type=_server, help="default: where `manage.py live` listens on the same data")

    def handle(self, *_: Any, file: Path, meeting: str, speed: float, server: str | None, **__: Any) -> None:
        url = f"{server or _running_server()}/ws/host/{meeting}/?token={host_token(meeting)}"
        hearing = Hearing(file)
        with tqdm(desc=file.name, unit="s", disable=not sys.stderr.isatty(), leave=False) as bar:

            def show(frame: int) -> None:
                bar.update((frame + 1) * FRAME_S - bar.n)

            asyncio.run(Replay(file_frames(hearing), url, speed=speed, on_stored=show).run())
        if hearing.broken_off is not None:
            raise CommandError(hearing.warning, returncode=FAILURE)
        if hearing.warning:
            self.stderr.write(hearing.warning)


def host_token(meeting_id: str) -> str:
    """Return the host's token. Raises CommandError if the database has no such meeting."""
    meeting = Meeting.objects.filter(pk=meeting_id).first()
    if meeting is None:
        raise CommandError(
            f"There is no meeting {meeting_id}; create one with `manage.py meeting create`.", returncode=BAD_INPUT
        )
    return meeting_token(meeting, "host")


def _running_server() -> str:
    return base_url().replace("http", "ws", 1)


def _speed(value: str) -> float:
    try:
        speed = float(value)
    except ValueError:
        speed = 0.0
    if not 0.0 < speed < 1000.0:
        raise ArgumentTypeError(f"{value!r} is no speed; use a number above 0, such as 1.0")
    return speed


def _server(value: str) -> str:
    if not value.startswith(("ws://", "wss://")):
        raise ArgumentTypeError(f"{value!r} is no WebSocket address; use ws://host:port or wss://host")
    return value.rstrip("/")
