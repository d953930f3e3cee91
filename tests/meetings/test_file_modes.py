from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from meetings import file_modes
from meetings.environment import read_environment
from meetings.file_modes import private_folder, tighten
from tests.meetings.test_settings import check


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def folder(path: Path, its_mode: int) -> Path:
    path.mkdir()
    path.chmod(its_mode)
    return path


def test_a_folder_that_is_open_is_closed_by_every_command(tmp_path: Path) -> None:
    data = folder(tmp_path / "data", 0o755)
    before = os.umask(0o022)
    try:
        check(data)
    finally:
        os.umask(before)
    assert mode(data) == 0o700
    assert {path.name: oct(mode(path)) for path in data.iterdir()} == {"secret_key": "0o600"}


def test_what_lies_on_another_disk_is_closed_too(tmp_path: Path) -> None:
    data, disk = folder(tmp_path / "data", 0o750), folder(tmp_path / "disk", 0o777)
    (data / "recordings").symlink_to(disk)
    models = folder(data / "models", 0o755)
    tighten(data)
    assert [mode(path) for path in (data, disk, models)] == [0o700, 0o700, 0o755]


def test_a_folder_of_everybody_is_refused_and_left_alone(tmp_path: Path) -> None:
    shared = folder(tmp_path / "tmp", 0o1777)
    refused = check(shared)
    assert refused.returncode == 2
    assert refused.stderr == f"{shared} is a folder of everybody's; give PARLANCE_DATA one of its own.\n"
    assert mode(shared) == 0o1777


def test_a_folder_that_is_not_ours_to_change_is_told_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, told = folder(tmp_path / "data", 0o755), []
    monkeypatch.setattr(Path, "chmod", lambda *_: (_ for _ in ()).throw(PermissionError(1, "Operation not permitted")))
    monkeypatch.setattr(file_modes.log, "warning", lambda event, **fields: told.append((event, fields["error"])))
    tighten(data)
    assert told == [("folder_open_to_others", "Operation not permitted")]


class TestPrivateFolder:
    def test_is_made_for_its_owner_and_found_again(self, tmp_path: Path) -> None:
        before = os.umask(0)
        try:
            made = private_folder(tmp_path / "parlance-1")
        finally:
            os.umask(before)
        assert (made, mode(made)) == (tmp_path / "parlance-1", 0o700)
        assert private_folder(made) == made

    @pytest.mark.parametrize("its_mode", [0o755, 0o701, 0o770])
    def test_one_that_is_open_is_refused(self, tmp_path: Path, its_mode: int) -> None:
        with pytest.raises(ImproperlyConfigured, match="not this user's alone"):
            private_folder(folder(tmp_path / "parlance-1", its_mode))

    def test_one_of_somebody_else_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        theirs = folder(tmp_path / "parlance-1", 0o700)
        monkeypatch.setattr(os, "geteuid", lambda: theirs.stat().st_uid + 1)
        with pytest.raises(ImproperlyConfigured, match="not this user's alone"):
            private_folder(theirs)

    def test_a_link_and_a_file_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(folder(tmp_path / "elsewhere", 0o700))
        (tmp_path / "file").touch()
        for name in ("link", "file"):
            with pytest.raises(ImproperlyConfigured, match="not this user's alone"):
                private_folder(tmp_path / name)

    def test_the_socket_of_a_long_path_is_in_one(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        environment = read_environment({"PARLANCE_DATA": str(tmp_path / ("x" * 120)), "SECRET_KEY": "x"})
        place = environment.broker_socket.parent
        assert (place.parent, mode(place)) == (tmp_path, 0o700)
        place.chmod(0o777)
        with pytest.raises(ImproperlyConfigured, match="not this user's alone"):
            _ = environment.broker_socket
