"""Copies of databases that are written to meanwhile: a file of SQLite, and a real PostgreSQL."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import environ
import pytest
from django.db import connections
from django.db.utils import ConnectionHandler
from pytest_django import DjangoDbBlocker

from meetings.backups import databases
from meetings.backups.databases import DatabaseNotCopied
from tests.postgres import Cluster, running_cluster


def use(monkeypatch: pytest.MonkeyPatch, **told: object) -> None:
    """Has the module copy this database."""
    monkeypatch.setattr(
        databases, "connection", ConnectionHandler({"default": connections.settings["default"] | told})["default"]
    )


class TestSqlite:
    @pytest.fixture
    def source(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        path = tmp_path / "50% #1.sqlite3"
        use(monkeypatch, ENGINE="django.db.backends.sqlite3", NAME=path)
        with closing(sqlite3.connect(path)) as made:
            made.execute("PRAGMA journal_mode=WAL")
            made.execute("CREATE TABLE meetings_meeting (number INTEGER PRIMARY KEY, twin INTEGER, said TEXT)")
        return path

    def test_it_is_of_one_moment_while_others_write(self, source: Path, tmp_path: Path) -> None:
        """Each transaction writes two rows; none is copied without its twin, and all that were committed are there."""
        committed, is_over = [0], threading.Event()

        def write() -> None:
            with closing(sqlite3.connect(source, timeout=20, isolation_level=None)) as own:
                while not is_over.is_set():
                    number = committed[0] + 1
                    own.execute("BEGIN IMMEDIATE")
                    for row in (2 * number, 2 * number + 1):
                        own.execute("INSERT INTO meetings_meeting VALUES (?, ?, ?)", (row, row ^ 1, "x" * 5_000))
                    own.execute("COMMIT")
                    committed[0] = number

        writer = threading.Thread(target=write)
        writer.start()
        try:
            while committed[0] < 200:
                assert writer.is_alive()
            before = committed[0]
            databases.copy_sqlite(tmp_path / "copy")
        finally:
            is_over.set()
            writer.join()
        databases.check_sqlite(tmp_path / "copy")
        with closing(sqlite3.connect(tmp_path / "copy")) as copy:
            [rows, alone] = copy.execute(
                "SELECT count(*), count(*) FILTER (WHERE twin NOT IN (SELECT number FROM meetings_meeting))"
                " FROM meetings_meeting"
            ).fetchone()
        assert rows >= 2 * before
        assert alone == 0

    def test_none_is_said(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        use(monkeypatch, ENGINE="django.db.backends.sqlite3", NAME=tmp_path / "none")
        with pytest.raises(DatabaseNotCopied, match="There is no database at"):
            databases.copy_sqlite(tmp_path / "copy")

    @pytest.mark.parametrize("damage", [b"", b"SQLite format 3\x00" + bytes(4096), b"something else" * 999])
    def test_what_is_no_whole_database_is_said(self, tmp_path: Path, damage: bytes) -> None:
        (tmp_path / "damaged").write_bytes(damage)
        with pytest.raises(DatabaseNotCopied, match="The database within is damaged"):
            databases.check_sqlite(tmp_path / "damaged")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with running_cluster() as cluster:
        yield cluster


class TestPostgresql:
    @pytest.fixture(autouse=True)
    def _unblocked(self, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
        with django_db_blocker.unblock():
            yield
            databases.connection.close()

    def asked(self, query: str) -> list[tuple[object, ...]]:
        with databases.connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall()) if cursor.description else []

    def named(self, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        told = environ.Env.db_url_config(cluster.url) | {"ENGINE": "meetings.postgresql", "OPTIONS": {}}
        use(monkeypatch, **told)
        self.asked(f"CREATE DATABASE {name}")
        databases.connection.close()
        use(monkeypatch, **told | {"NAME": name})

    def test_a_dump_fills_an_empty_database(
        self, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.named(cluster, monkeypatch, "source")
        self.asked("CREATE TABLE django_migrations (name text)")
        self.asked("INSERT INTO django_migrations VALUES ('0001')")
        databases.dump_postgresql(tmp_path / "dump")
        with pytest.raises(DatabaseNotCopied, match="is not empty"):
            databases.load_postgresql(tmp_path / "dump")
        databases.connection.close()
        self.named(cluster, monkeypatch, "target")
        databases.load_postgresql(tmp_path / "dump")
        assert self.asked("SELECT name FROM django_migrations") == [("0001",)]

    def test_what_the_tools_say_is_passed_on_without_a_password(
        self, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told = environ.Env.db_url_config(cluster.url) | {"ENGINE": "meetings.postgresql", "OPTIONS": {}}
        use(monkeypatch, **told | {"NAME": "nowhere", "PASSWORD": "s3cret"})
        with pytest.raises(DatabaseNotCopied, match=r"pg_dump could not do it: .*nowhere") as raised:
            databases.dump_postgresql(tmp_path / "dump")
        assert "s3cret" not in str(raised.value)

    def test_missing_tools_are_said(self, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        use(monkeypatch, **environ.Env.db_url_config(cluster.url) | {"ENGINE": "meetings.postgresql", "OPTIONS": {}})
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(DatabaseNotCopied, match="apt-get install postgresql-client"):
            databases.dump_postgresql(tmp_path / "dump")
