"""Backups that are made and restored, without a server: what is in them, whose they are, and what is refused."""

from __future__ import annotations

import io
import json
import sqlite3
import stat
import tarfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings

from meetings.backups import databases
from meetings.backups.contents import BackupManifest, NoBackup
from meetings.backups.databases import DatabaseNotCopied
from meetings.backups.restoring import RestoreRefused, restore
from meetings.backups.saving import TargetTaken, save
from meetings.broker.embedded import EmbeddedBroker
from meetings.environment import Environment
from meetings.supervisor import AlreadyRunning, data_folder_lock
from tests.meetings.backups.test_append_only import client
from tests.meetings.backups.test_databases import use

FILES = {
    "uploads/m1": b"half a recording",
    "recordings/m2.s16le": b"\x01\x00" * 99,
    "results/m3/transcript.txt": b"What was said.",
}

Place = Callable[[str], Environment]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """An environment with a folder of its own; its database is the one that is copied and filled from then on."""

    def place(name: str) -> Environment:
        data = tmp_path / name
        data.mkdir(exist_ok=True)
        use(monkeypatch, ENGINE="django.db.backends.sqlite3", NAME=data / "parlance.sqlite3")
        return replace(settings.ENVIRONMENT, data=data, broker_url="")

    return place


@pytest.fixture
def source(place: Place) -> Environment:
    """An installation with something of everything."""
    environment = place("source")
    with closing(sqlite3.connect(databases.sqlite_path())) as made:
        made.execute("CREATE TABLE meetings_meeting (title TEXT)")
        made.execute("INSERT INTO meetings_meeting VALUES ('Budget')")
        made.commit()
    for name, content in FILES.items():
        path = environment.data / name
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    (environment.data / "results" / "m3" / ".transcript.txt.half").write_bytes(b"What w")
    (environment.data / "recordings" / "m4.partial").write_bytes(b"fLaC")
    (environment.data / "models").mkdir()
    (environment.data / "models" / "weights").write_bytes(b"fetched again")
    (environment.data / "secret_key").write_text("secret")
    (environment.data / "address").write_text("http://127.0.0.1:8000")
    broker = EmbeddedBroker(environment.data / "broker", environment.data / "valkey.sock")
    broker.start()
    client(environment.data).set("waits", "sound")
    broker.stop()
    return environment


def test_everything_that_is_stored_is_brought_back(source: Environment, place: Place, tmp_path: Path) -> None:
    saved = save(source, tmp_path / "backup.tar")
    assert stat.S_IMODE(saved.path.stat().st_mode) == 0o600
    target = place("target")
    assert restore(target, saved.path).database == "sqlite"
    found = {str(path.relative_to(target.data)) for path in target.data.rglob("*") if path.is_file()}
    logs = {name for name in found if name.startswith("broker/appendonlydir/")}
    assert found - logs == {*FILES, "parlance.sqlite3", "secret_key", "lock"}
    assert {name: (target.data / name).read_bytes() for name in FILES} == FILES
    assert (target.data / "secret_key").read_text() == "secret"
    assert [stat.S_IMODE((target.data / name).stat().st_mode) for name in (*FILES, "secret_key")] == [0o600] * 4
    with closing(sqlite3.connect(databases.sqlite_path())) as read:
        assert read.execute("SELECT title FROM meetings_meeting").fetchall() == [("Budget",)]
    broker = EmbeddedBroker(target.data / "broker", target.data / "valkey.sock")
    broker.start()
    try:
        assert client(target.data).get("waits") == b"sound"
    finally:
        broker.stop()


def test_nothing_is_left_behind(source: Environment, tmp_path: Path) -> None:
    """Not by this backup, and not by one whose process was killed: a second name would keep what is deleted."""
    left = source.data / ".backup-999999999-abc"
    (left / "recordings").mkdir(parents=True)
    before = set(source.data.iterdir()) - {left}
    save(source, tmp_path / "backup.tar")
    assert set(source.data.iterdir()) == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_folder_gets_a_file_with_the_time(source: Environment, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    saved = save(source, folder)
    assert saved.path.parent == folder
    assert saved.path.name.startswith("parlance-20")


def test_a_backup_is_not_written_over(source: Environment, tmp_path: Path) -> None:
    (tmp_path / "backup.tar").write_text("the last one")
    with pytest.raises(TargetTaken, match="is there already"):
        save(source, tmp_path / "backup.tar")
    assert (tmp_path / "backup.tar").read_text() == "the last one"


def test_a_backup_is_not_written_into_what_it_saves(source: Environment) -> None:
    with pytest.raises(TargetTaken, match="is in PARLANCE_DATA"):
        save(source, source.data / "backup.tar")


def test_a_backup_that_fails_leaves_no_file(
    source: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    databases.sqlite_path().unlink()
    with pytest.raises(DatabaseNotCopied):
        save(source, tmp_path / "backup.tar")
    assert list(tmp_path.glob("*backup*")) == []


@pytest.mark.parametrize("there", [*FILES, "parlance.sqlite3", "broker/appendonlydir/appendonly.aof.manifest"])
def test_what_is_there_is_not_written_over(source: Environment, place: Place, tmp_path: Path, there: str) -> None:
    saved = save(source, tmp_path / "backup.tar")
    target = place("target")
    (target.data / there).parent.mkdir(parents=True, exist_ok=True)
    (target.data / there).write_text("of somebody")
    with pytest.raises(RestoreRefused, match="is not empty"):
        restore(target, saved.path)
    assert {path.name for path in target.data.rglob("*") if path.is_file()} == {Path(there).name, "lock"}
    assert (target.data / there).read_text() == "of somebody"


def test_a_product_that_runs_is_not_written_into(source: Environment, place: Place, tmp_path: Path) -> None:
    saved = save(source, tmp_path / "backup.tar")
    target = place("target")
    with data_folder_lock(target.data), pytest.raises(AlreadyRunning):
        restore(target, saved.path)


def test_a_backup_of_sqlite_is_not_for_a_broker_elsewhere(source: Environment, place: Place, tmp_path: Path) -> None:
    saved = save(source, tmp_path / "backup.tar")
    target = replace(place("target"), broker_url="redis://127.0.0.1:1")
    with pytest.raises(RestoreRefused, match="unset REDIS_URL"):
        restore(target, saved.path)


def test_an_archive_that_was_cut_off_is_refused(source: Environment, place: Place, tmp_path: Path) -> None:
    saved = save(source, tmp_path / "backup.tar")
    target = place("target")
    for part in (0.0, 0.3, 0.8):
        cut = tmp_path / f"cut-{part}.tar"
        cut.write_bytes(saved.path.read_bytes()[: int(saved.size * part)])
        with pytest.raises(NoBackup):
            restore(target, cut)
        assert [path.name for path in target.data.rglob("*")] == ["lock"]


def archive(path: Path, *members: tarfile.TarInfo, manifest: bytes) -> Path:
    with tarfile.open(path, "w") as made:
        for member in members:
            made.addfile(member, io.BytesIO(bytes(member.size)))
        told = tarfile.TarInfo("manifest.json")
        told.size = len(manifest)
        made.addfile(told, io.BytesIO(manifest))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


MANIFEST = BackupManifest("2026-11-29", "sqlite", "embedded").packed()


@pytest.mark.parametrize(
    "odd",
    [
        member("../outside"),
        member("recordings/../../outside"),
        member("/etc/outside"),
        member("parlance.sqlite3"),
        member("recordings/link", tarfile.SYMTYPE, "/etc/passwd"),
        member("recordings/link", tarfile.LNKTYPE, "secret_key"),
        member("recordings/device", tarfile.CHRTYPE),
    ],
    ids=lambda odd: f"{odd.name}-{odd.type.decode()}",
)
def test_an_archive_of_somebody_else_writes_nothing_elsewhere(
    place: Place, tmp_path: Path, odd: tarfile.TarInfo
) -> None:
    target = place("target")
    with pytest.raises(NoBackup, match="which is not of a backup"):
        restore(target, archive(tmp_path / "odd.tar", odd, manifest=MANIFEST))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["lock", "odd.tar", "target"]


@pytest.mark.parametrize("manifest", [b"", b"[]", b"{}", json.dumps(json.loads(MANIFEST) | {"format": 2}).encode()])
def test_what_this_version_cannot_read_is_said(place: Place, tmp_path: Path, manifest: bytes) -> None:
    target = place("target")
    with pytest.raises(NoBackup):
        restore(target, archive(tmp_path / "odd.tar", manifest=manifest))


def test_what_is_no_archive_is_said(place: Place, tmp_path: Path) -> None:
    (tmp_path / "odd").write_bytes(b"no archive at all" * 999)
    with pytest.raises(NoBackup, match="is no backup"):
        restore(place("target"), tmp_path / "odd")
