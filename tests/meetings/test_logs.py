from __future__ import annotations

import json
import logging
import sys
import traceback

import psycopg.errors
import pytest
import structlog
from django.db import IntegrityError
from django.test import Client

from meetings.accounts.signin import one_time_link


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
