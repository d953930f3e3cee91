from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from django.db import OperationalError

from meetings.postgresql.base import ANSWER_S, DatabaseWrapper
from tests.meetings.postgresql.conftest import Connect
from tests.postgres import Cluster


def ask(connection: DatabaseWrapper, query: str = "SELECT 1") -> object:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()


@contextmanager
def stopped(cluster: Cluster) -> Iterator[None]:
    """No process of the server gets a processor: connections stay, and nothing answers."""
    number = (Path(cluster.folder) / "data" / "postmaster.pid").read_text().splitlines()[0]
    server = psutil.Process(int(number))
    processes = [server, *server.children(recursive=True)]
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # the server of a connection that has just ended
            process.suspend()
    try:
        yield
    finally:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.resume()


def test_a_server_that_answers_no_more_is_an_error(cluster: Cluster, connect: Connect) -> None:
    connection = connect()
    assert ask(connection) == (1,)
    assert connection.answer_s == ANSWER_S
    connection.answer_s = 0.5
    with stopped(cluster):
        asked_at = time.monotonic()
        with pytest.raises(OperationalError):
            ask(connection)
        assert 0.5 <= time.monotonic() - asked_at < 0.5 + 10
    connection.close_if_unusable_or_obsolete()
    assert ask(connection, "SELECT 2") == (2,), "the late answer to the first question is not taken for this one's"


def test_a_server_that_lets_nobody_in_is_an_error(cluster: Cluster, connect: Connect) -> None:
    """It is stopped before it was asked: the kernel takes the connection, and nobody speaks."""
    connection = connect(connect_timeout=2)
    with stopped(cluster):
        asked_at = time.monotonic()
        with pytest.raises(OperationalError):
            ask(connection)
        assert time.monotonic() - asked_at < 2 + 10
    assert ask(connection) == (1,)


def test_an_error_of_the_server_leaves_the_connection(connect: Connect) -> None:
    connection = connect(options="-c statement_timeout=100ms")
    [before] = ask(connection, "SELECT pg_backend_pid()")  # type: ignore[misc]
    with pytest.raises(OperationalError, match="statement timeout"):
        ask(connection, "SELECT pg_sleep(60)")
    connection.close_if_unusable_or_obsolete()
    assert ask(connection, "SELECT pg_backend_pid()") == (before,)


def test_a_server_that_was_restarted_costs_one_error_at_most(cluster: Cluster, connect: Connect) -> None:
    connection = connect()
    ask(connection)
    cluster.restart()
    connection.close_if_unusable_or_obsolete()
    connection.close_if_health_check_failed()
    assert ask(connection) == (1,)
