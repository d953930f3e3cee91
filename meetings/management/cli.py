"""Shared base of our commands: one sentence and an exit code for every expected failure.

Exit code 2: the request is invalid (no such file, no such meeting, a wrong setting). Exit code 1: it was valid, but
failed. `--traceback` shows where.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, OperationalError

from inference.audio import UnreadableAudioError
from inference.models.catalog import UnknownModel
from inference.models.device import NoSuchDevice
from inference.models.fetching import FetchFailed
from inference.models.loading import ModelCorrupt, ModelMissing
from inference.models.residency.plan import DoesNotFit
from meetings.backups.append_only import Unsteady
from meetings.backups.contents import NoBackup
from meetings.backups.databases import DatabaseNotCopied
from meetings.backups.restoring import RestoreRefused
from meetings.backups.saving import TargetTaken
from meetings.batch.replay import ReplayRefused
from meetings.broker.client import BrokerUnreachable
from meetings.broker.embedded import BrokerStartError
from meetings.database_errors import describe
from meetings.environment import misspelt_names
from meetings.exit_codes import BAD_INPUT, FAILURE
from meetings.management.libraries import library_problem
from meetings.supervisor import AlreadyRunning, PortInUse, SettingsRefused

MAX_PORT = 65_535


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """How one kind of exception is reported."""

    exit_code: int
    sentence: Callable[[Any], str] = str
    """Our own exceptions carry their sentence; others get it here."""


def _database(error: DatabaseError) -> str:
    if "no such table" in str(error) or "does not exist" in str(error):
        return "The database is not set up; run `manage.py migrate`."
    # PostgreSQL's message about a rejected row quotes the row.
    return f"The database cannot be used: {error if isinstance(error, OperationalError) else describe(error)}"


def _file(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename else reason


ERROR_ANSWERS: dict[type[Exception], ErrorAnswer] = {
    UnreadableAudioError: ErrorAnswer(BAD_INPUT),
    UnknownModel: ErrorAnswer(BAD_INPUT),
    ModelMissing: ErrorAnswer(FAILURE),
    ModelCorrupt: ErrorAnswer(FAILURE),
    FetchFailed: ErrorAnswer(FAILURE),
    ImproperlyConfigured: ErrorAnswer(BAD_INPUT),
    NoSuchDevice: ErrorAnswer(BAD_INPUT),
    DoesNotFit: ErrorAnswer(BAD_INPUT),
    BrokerStartError: ErrorAnswer(FAILURE),
    BrokerUnreachable: ErrorAnswer(FAILURE),
    AlreadyRunning: ErrorAnswer(BAD_INPUT),
    TargetTaken: ErrorAnswer(BAD_INPUT),
    NoBackup: ErrorAnswer(BAD_INPUT),
    RestoreRefused: ErrorAnswer(BAD_INPUT),
    DatabaseNotCopied: ErrorAnswer(FAILURE),
    Unsteady: ErrorAnswer(FAILURE),
    PortInUse: ErrorAnswer(BAD_INPUT),
    SettingsRefused: ErrorAnswer(BAD_INPUT),
    ReplayRefused: ErrorAnswer(FAILURE),
    ImportError: ErrorAnswer(BAD_INPUT, library_problem),
    OperationalError: ErrorAnswer(FAILURE, _database),
    DatabaseError: ErrorAnswer(FAILURE, _database),
    FileNotFoundError: ErrorAnswer(BAD_INPUT, _file),
    IsADirectoryError: ErrorAnswer(BAD_INPUT, _file),
    PermissionError: ErrorAnswer(BAD_INPUT, _file),
    OSError: ErrorAnswer(FAILURE, _file),
}


def command_error(error: Exception) -> CommandError:
    """Return message and exit code for an exception in ANSWERS; the most specific entry applies."""
    answer = next(ERROR_ANSWERS[kind] for kind in type(error).__mro__ if kind in ERROR_ANSWERS)
    sentence = answer.sentence(error)
    return CommandError(sentence if sentence.endswith((".", "?")) else f"{sentence}.", returncode=answer.exit_code)


class ParlanceCommand(BaseCommand):
    """A management command that ends with one sentence instead of a traceback."""

    requires_system_checks: tuple[str, ...] = ()
    _called_from_command_line: bool

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command.

        On the command line, a known failure is printed and ends the process; in code, it is raised as CommandError with
        the same sentence.
        """
        try:
            return super().execute(*args, **options)
        except CommandError as error:
            return self._fail(error, **options)
        except tuple(ERROR_ANSWERS) as error:
            failure = command_error(error)
            failure.__cause__ = error
            return self._fail(failure, **options)

    def _fail(self, failure: CommandError, *, traceback: bool = False, **_: Any) -> str | None:
        if traceback or not self._called_from_command_line:
            raise failure
        self.stderr.write(str(failure))
        sys.exit(failure.returncode)


def port_number(value: str) -> int:
    """Read the number of a TCP port. Raises ArgumentTypeError."""
    if not value.isdecimal() or not 1 <= int(value) <= MAX_PORT:
        raise ArgumentTypeError(f"{value!r} is no port; use a number from 1 to {MAX_PORT}")
    return int(value)


class ServerCommand(ParlanceCommand):
    """A command that runs until it is told to stop. It names misspelt settings first, unless `--verbosity` is 0."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        if options["verbosity"]:
            for name, similar in misspelt_names(os.environ).items():
                self.stderr.write(f"{name} is not a setting." + (f" Did you mean {similar}?" if similar else ""))
        return super().execute(*args, **options)


def main(argv: list[str]) -> None:
    """Run Django's command line, with a sentence for settings that prevent the start."""
    try:
        execute_from_command_line(argv)
    except ImproperlyConfigured as error:
        if "--traceback" in argv:
            raise
        sys.stderr.write(f"{error}\n")
        sys.exit(BAD_INPUT)
    except KeyboardInterrupt:
        sys.exit(130)
