"""A PostgreSQL of these tests' own, whatever database the others run on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import environ
import pytest
from django.db import connections
from django.db.utils import ConnectionHandler
from pytest_django import DjangoDbBlocker

from meetings.postgresql.base import DatabaseWrapper
from tests.postgres import Cluster, running_cluster

Connect = Callable[..., DatabaseWrapper]


@pytest.fixture(scope="package")
def cluster() -> Iterator[Cluster]:
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture
def connect(cluster: Cluster, django_db_blocker: DjangoDbBlocker) -> Iterator[Connect]:
    """Connections as the settings make them, with options of the test's own."""
    made: list[DatabaseWrapper] = []

    def connect(**options: Any) -> DatabaseWrapper:
        told = environ.Env.db_url_config(cluster.url) | {"ENGINE": "meetings.postgresql", "OPTIONS": options}
        connection = ConnectionHandler({"default": connections.settings["default"] | told})["default"]
        assert isinstance(connection, DatabaseWrapper)
        made.append(connection)
        return connection

    with django_db_blocker.unblock():
        yield connect
        for connection in made:
            connection.close()
