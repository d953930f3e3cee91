from __future__ import annotations

import io
import json
import logging
import os
import pty
import subprocess
import sys
import traceback
from collections.abc import Iterator
from unittest.mock import Mock

import psycopg.errors
import pytest
import structlog
from django.db import IntegrityError, OperationalError
from django.test import Client
from structlog.stdlib import ProcessorFormatter

from meetings.accounts.signin import one_time_link
from meetings.web import meeting_views
from tests.conftest import REPOSITORY


@pytest.mark.django_db
def test_a_used_sign_in_link_is_not_logged(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    link = one_time_link("http://testserver").removeprefix("http://testserver")
    assert client.get(link).status_code == 302
    client.logout()
    assert client.get(link).status_code == 403
    assert link.rstrip("/").rpartition("/")[2] not in caplog.text


@pytest.fixture
def formatter() -> logging.Formatter:
    """Of the lines that a server writes."""
    return next(
        handler.formatter
        for handler in logging.getLogger().handlers
        if isinstance(handler.formatter, structlog.stdlib.ProcessorFormatter)
    )


def test_a_traceback_quotes_no_row(formatter: logging.Formatter) -> None:
    """The driver's message quotes what was refused and Django's repeats it; the log has neither."""
    cause = psycopg.errors.NotNullViolation("null value\nDETAIL: Failing row contains (what somebody said).")
    try:
        try:
            raise cause
        except psycopg.Error as error:
            raise IntegrityError(str(error)) from error
    except IntegrityError:
        record = logging.LogRecord("meetings.x", logging.ERROR, __file__, 1, "refused", None, sys.exc_info())
    line = json.loads(formatter.format(record))
    assert "what somebody said" not in json.dumps(line)
    told = line["exception"].splitlines()
    assert "psycopg.errors.NotNullViolation: NotNullViolation (23502)" in told
    assert told[-1] == "django.db.utils.IntegrityError: IntegrityError (23502)"
    assert "    raise IntegrityError(str(error)) from error" in told


def test_other_tracebacks_are_told_as_ever(formatter: logging.Formatter) -> None:
    try:
        try:
            {}["a"]
        except KeyError:
            raise ValueError("no such letter") from None
    except ValueError as error:
        record = logging.LogRecord("meetings.x", logging.ERROR, __file__, 1, "odd", None, sys.exc_info())
        expected = "".join(traceback.format_exception(error)).rstrip()
    assert json.loads(formatter.format(record))["exception"] == expected


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What the product writes to standard error, line by line, as it writes it."""
    root = logging.getLogger()
    product = next(handler for handler in root.handlers if isinstance(handler.formatter, ProcessorFormatter))
    stream = io.StringIO()
    copy = logging.StreamHandler(stream)
    copy.setFormatter(product.formatter)
    root.addHandler(copy)
    yield stream
    root.removeHandler(copy)


@pytest.mark.django_db
def test_a_sign_in_link_that_fails_is_not_logged(written: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its token is good as long as nobody has used it."""
    link = one_time_link("http://testserver").removeprefix("http://testserver")
    monkeypatch.setattr(meeting_views, "user_of_link", Mock(side_effect=OperationalError("database is locked")))
    assert Client(raise_request_exception=False).get(link).status_code == 500
    [line] = [json.loads(line) for line in written.getvalue().splitlines() if "Internal Server Error" in line]
    uid, token = link.strip("/").split("/")[1:]
    assert line["event"] == f"Internal Server Error: /sign-in/{uid}/***/"
    assert token not in written.getvalue()


@pytest.mark.parametrize(
    ("said", "logged"),
    [
        ("GET /m/0123/?token=abc-_9&lang=pt", "GET /m/0123/?token=***&lang=pt"),
        ("ws://host/ws/host/0123/?lang=pt&token=h.1.ab.2.cd", "ws://host/ws/host/0123/?lang=pt&token=***"),
        ("Forbidden: /sign-in/MQ/cx-12ab", "Forbidden: /sign-in/MQ/***"),
        ("the token of a link", "the token of a link"),
    ],
)
def test_no_line_holds_a_token(written: io.StringIO, said: str, logged: str) -> None:
    logging.getLogger("somebody.elses").error("%s", said)
    assert json.loads(written.getvalue())["event"] == logged


def lines_on(is_terminal: bool, log_format: str) -> str:
    """What a process writes to standard error for one warning."""
    script = (
        "import django; django.setup(); import structlog; "
        "structlog.get_logger('meetings.x').warning('broker_slow', silent_s=3.5, path='/sign-in/MQ/secret-token/')"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "meetings.settings", "PARLANCE_LOG": log_format}
    ours, theirs = pty.openpty() if is_terminal else os.pipe()
    try:
        subprocess.run([sys.executable, "-c", script], env=environment, stderr=theirs, check=True, cwd=REPOSITORY)
        return os.read(ours, 10_000).decode()
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize(
    ("is_terminal", "log_format", "is_json"),
    [(True, "auto", False), (False, "auto", True), (True, "json", True), (False, "console", False)],
)
def test_people_read_lines_and_programs_read_json(is_terminal: bool, log_format: str, is_json: bool) -> None:
    text = lines_on(is_terminal, log_format)
    assert "secret-token" not in text
    assert ("\x1b[" in text) is (is_terminal and not is_json), "colours are for terminals"
    if is_json:
        assert json.loads(text)["silent_s"] == 3.5
    else:
        assert "broker_slow" in text
        assert "3.5" in text
        assert not text.startswith("{")


@pytest.mark.django_db
def test_requests_for_other_hosts_leave_no_line(client: Client, written: io.StringIO) -> None:
    """Anyone can send them, as often as they like."""
    for host in ("evil.example", ""):
        assert client.get("/", headers={"host": host}).status_code == 400
    assert written.getvalue() == ""
