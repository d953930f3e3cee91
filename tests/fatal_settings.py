"""The product's settings for tests in which a worker dies at a line of its log, or hangs while it writes a summary.

`RunningParlance(..., environment=FATAL)` runs with them. A worker that has said the lines of the first death in
`deaths.json`, in that order, strikes it from the list and kills itself as `kill -9` does: nothing of it runs after.
A summary that a worker begins while there is a file `hang` never comes to its end; the watchdog sees that soon.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog

from inference.summarization import chat
from meetings.device import watchdog
from meetings.settings import *  # noqa: F403
from meetings.settings import ENVIRONMENT

log = structlog.get_logger("meetings.accounts.link_tokens")

FATAL = {"DJANGO_SETTINGS_MODULE": __name__}
Line = dict[str, str]
"""What must stand in a line of the log; more may."""

HANG = "hang"
HANGING_S = 1.0
"""The watchdog's bound for a summary that hangs."""


def schedule(data: Path, deaths: list[list[Line]]) -> None:
    """Each death is one worker's, after the one before."""
    temporary = data / "deaths.new"
    temporary.write_text(json.dumps(deaths), encoding="utf-8")
    temporary.replace(data / "deaths.json")


def scheduled(data: Path) -> list[list[Line]]:
    """Those that are still to come."""
    path = data / "deaths.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


class Death(logging.Handler):
    """Comes after the handlers that write the log: the last line of the dead tells where it was."""

    def __init__(self, data: Path) -> None:
        super().__init__()
        self._data = data
        self._said = 0

    def emit(self, record: logging.LogRecord) -> None:
        deaths = scheduled(self._data)
        if deaths and _says(record.msg, deaths[0][self._said]):
            self._said += 1
            if self._said == len(deaths[0]):
                schedule(self._data, deaths[1:])
                os.kill(os.getpid(), signal.SIGKILL)


def _says(message: object, line: Line) -> bool:
    return isinstance(message, dict) and all(message.get(name) == value for name, value in line.items())


_hangs = threading.Event()


class _FatalClock(chat._StepClock):
    """Says a line a token, so that a death can come in the middle of an answer; hangs where it is to."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        log.info("token")
        if _hangs.is_set():
            threading.Event().wait()
        return super().__call__(*arguments, **options)


@contextmanager
def _writing() -> Iterator[None]:
    """As `watchdog.writing`. What is to hang is decided here: a warm-up has tokens too, and another bound."""
    if (ENVIRONMENT.data / HANG).exists():
        _hangs.set()
    with watchdog.watched("writing", HANGING_S if _hangs.is_set() else watchdog.WRITING_S):
        yield


chat._StepClock = _FatalClock  # type: ignore[misc]
watchdog.writing = _writing
logging.getLogger().addHandler(Death(ENVIRONMENT.data))
