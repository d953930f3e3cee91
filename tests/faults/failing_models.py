"""The product's settings with a model that fails for one meeting: a double of one that hangs, raises or crashes.

`RunningParlance(..., environment=FAILING)` runs with them. While there is a `failure.json`, each batch that holds a
request of its meeting fails as the file says, in the device's thread and where the model would be called. What is
about to fail is written to `failures.log` before.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from inference.speech.engine import Engine
from meetings.settings import *  # noqa: F403
from meetings.settings import ENVIRONMENT

FAILING = {"DJANGO_SETTINGS_MODULE": __name__}


class Failure(StrEnum):
    """How a model fails."""

    HANG = "hang"
    RAISE = "raise"
    CRASH = "crash"


@dataclass(frozen=True, slots=True)
class Failed:
    """One failure that was committed."""

    pid: int
    at: float
    """Monotonic seconds, which all processes of a machine share."""


def fail_for(data: Path, meeting_id: str, failure: Failure) -> None:
    """From now on."""
    temporary = data / "failure.new"
    temporary.write_text(json.dumps([meeting_id, failure]), encoding="ascii")
    temporary.replace(data / "failure.json")


def mend(data: Path) -> None:
    """The model is as good as ever."""
    (data / "failure.json").unlink()
    (data / "failures.log").unlink(missing_ok=True)


def failures(data: Path) -> list[Failed]:
    """Those so far, the first one first."""
    path = data / "failures.log"
    lines = path.read_text(encoding="ascii").splitlines() if path.exists() else []
    return [Failed(int(pid), float(at)) for pid, at in map(str.split, lines)]


_choose = Engine._choose


def _choose_and_fail(self: Engine, *arguments: Any, **options: Any) -> list[tuple[Hashable, Any]]:
    chosen = _choose(self, *arguments, **options)
    path = ENVIRONMENT.data / "failure.json"
    if path.exists():
        meeting_id, failure = json.loads(path.read_text(encoding="ascii"))
        if meeting_id in [key for key, _ in chosen]:
            _fail(Failure(failure))
    return chosen


def _fail(failure: Failure) -> None:
    with (ENVIRONMENT.data / "failures.log").open("a", encoding="ascii") as log:
        log.write(f"{os.getpid()} {time.monotonic()}\n")
    match failure:
        case Failure.HANG:
            threading.Event().wait()
        case Failure.RAISE:
            raise RuntimeError("the model of the tests fails")
        case Failure.CRASH:
            os.kill(os.getpid(), signal.SIGSEGV)


Engine._choose = _choose_and_fail  # type: ignore[method-assign]
