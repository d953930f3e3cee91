from __future__ import annotations

import os
import subprocess
import sys
import sysconfig

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import OperationalError

from inference.audio import UnreadableAudioError
from inference.models.loading import ModelMissing
from meetings.management.cli import BAD_INPUT, FAILURE, ParlanceCommand, command_error
from tests import REPOSITORY


class Failing(ParlanceCommand):
    """Raises what it is given."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def handle(self, *args: object, **options: object) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "sentence", "exit_code"),
    [
        (UnreadableAudioError("x.txt holds no sound"), "x.txt holds no sound.", BAD_INPUT),
        (ModelMissing("whisper-base is missing; fetch it."), "whisper-base is missing; fetch it.", FAILURE),
        (ImproperlyConfigured("PARLANCE_DEVICE is 'x'."), "PARLANCE_DEVICE is 'x'.", BAD_INPUT),
        (FileNotFoundError(2, "No such file or directory", "a.wav"), "a.wav: No such file or directory.", BAD_INPUT),
        (OSError(28, "No space left on device", "out.json"), "out.json: No space left on device.", FAILURE),
        (OSError(28, "No space left on device"), "No space left on device.", FAILURE),
        (
            ImportError("No module named 'x'"),
            "A library cannot be loaded (No module named 'x'); install requirements.lock, or let this user read "
            f"{sysconfig.get_path('purelib')}.",
            BAD_INPUT,
        ),
        (OperationalError("no such table: x"), "The database is not set up; run `manage.py migrate`.", FAILURE),
        (OperationalError("disk I/O error"), "The database cannot be used: disk I/O error.", FAILURE),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_known_failure_has_a_sentence_and_a_code(error: Exception, sentence: str, exit_code: int) -> None:
    failure = command_error(error)
    assert (str(failure), failure.returncode) == (sentence, exit_code)


def test_from_the_command_line_only_the_sentence_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        Failing(UnreadableAudioError("x.txt holds no sound")).run_from_argv(["manage.py", "failing"])
    assert ended.value.code == BAD_INPUT
    assert capsys.readouterr().err == "x.txt holds no sound.\n"


def test_with_traceback_the_cause_is_shown() -> None:
    error = UnreadableAudioError("x.txt holds no sound")
    with pytest.raises(CommandError) as failure:
        Failing(error).run_from_argv(["manage.py", "failing", "--traceback"])
    assert failure.value.__cause__ is error


def test_an_unknown_failure_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        Failing(ZeroDivisionError()).run_from_argv(["manage.py", "failing"])


def test_an_odd_setting_stops_the_start_with_a_sentence() -> None:
    result = subprocess.run(
        [sys.executable, "manage.py", "models", "list"],
        cwd=REPOSITORY,
        env={**os.environ, "PARLANCE_DEVICE": "toaster"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stderr == "PARLANCE_DEVICE is 'toaster'; use auto, cpu, cuda or cuda:N.\n"
    assert result.returncode == BAD_INPUT


def test_libraries_that_are_not_there_are_said() -> None:
    """Without site-packages, as for a user who may not read them."""
    command = [sys.executable, "-S", "manage.py", "models", "list"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.stderr.startswith("A library cannot be loaded (No module named 'django'); install requirements.lock, ")
    assert (len(done.stderr.splitlines()), done.returncode) == (1, BAD_INPUT)


def test_numpy_computes_in_one_thread_unless_the_operator_wants_more() -> None:
    threads = (
        "import numpy; from threadpoolctl import threadpool_info as pools; "
        "print(*(pool['num_threads'] for pool in pools() if pool['internal_api'] == 'openblas'))"
    )
    command = [sys.executable, "manage.py", "shell", "--no-imports", "--command", threads]
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1"]


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http"])
def test_a_port_that_there_is_not_is_said(port: str) -> None:
    with pytest.raises(CommandError, match="is no port; use a number from 1 to 65535"):
        call_command("web", f"--port={port}")
