from __future__ import annotations

import pytest
from django.db import connections

from meetings.postgresql.base import ANSWER_S
from meetings.postgresql.patience import answering_within, never_hurry
from tests.meetings.postgresql.conftest import Connect


def test_migrations_take_as_long_as_they_take(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = connect(options="-c statement_timeout=60s")
    monkeypatch.setattr(connections._connections, "default", connection)
    never_hurry(using="default", sender=None)
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)
    assert connection.answer_s is None


def test_some_would_rather_know_soon(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = connect()
    monkeypatch.setattr(connections._connections, "default", connection)
    with answering_within(5):
        assert connection.answer_s == 5
    assert connection.answer_s == ANSWER_S
