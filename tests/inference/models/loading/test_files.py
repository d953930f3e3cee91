from __future__ import annotations

import hashlib
import os
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import pytest

from inference.models.catalog import Model, ModelFile, UnknownModel, Wheels, find_model
from inference.models.loading import (
    ModelCorrupt,
    ModelMissing,
    ModelUnreadable,
    check_digest,
    check_size,
    model_folder,
    verify_model,
)

CONTENT = b"weights"
FILE = ModelFile("model.bin", len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), ("package/model.bin",))
MODEL = Model("tiny", "asr", "starter", "a few bytes", "MIT", "this test", Wheels(("tiny==1.0",)), (FILE,))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "model.bin").write_bytes(CONTENT)
    return tmp_path / "tiny"


def test_the_published_file_passes(folder: Path) -> None:
    read: list[int] = []
    verify_model(MODEL, folder.parent, read.append)
    assert sum(read) == len(CONTENT)


def test_a_missing_file_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="models fetch tiny"):
        check_size(MODEL, FILE, tmp_path)


def test_a_cut_file_is_found_by_its_size(folder: Path) -> None:
    (folder / "model.bin").write_bytes(CONTENT[:-1])
    with pytest.raises(ModelCorrupt, match="6 bytes instead of 7"):
        check_size(MODEL, FILE, folder)


def test_a_changed_byte_is_found_by_its_digest(folder: Path) -> None:
    (folder / "model.bin").write_bytes(b"weighty")
    check_size(MODEL, FILE, folder)
    with pytest.raises(ModelCorrupt, match="not the published file"):
        check_digest(MODEL, FILE, folder, lambda _: None)


def test_a_name_without_weights_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="models fetch whisper-base"):
        model_folder("whisper-base", tmp_path)


def test_what_this_user_may_not_read_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may read everything, so the answers of the system are played: for the file, and for the folder above it."""
    (folder / "config.json").touch()
    with monkeypatch.context() as system:
        system.setattr(os, "access", lambda path, mode: path.name != "model.bin")
        for look in (partial(check_size, MODEL, FILE, folder), partial(model_folder, str(folder), folder)):
            with pytest.raises(ModelUnreadable, match=r"/tiny/model\.bin may not be read by this user"):
                look()
    monkeypatch.setattr(Path, "is_file", Mock(side_effect=PermissionError(13, "Permission denied")))
    with pytest.raises(ModelUnreadable, match="open the folders above"):
        check_size(MODEL, FILE, folder)


def test_an_operators_own_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    for name in ("model.bin", "config.json"):
        (tmp_path / name).touch()
    assert model_folder(str(tmp_path), tmp_path / "models") == tmp_path


def test_an_own_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"has no model\.bin"):
        model_folder(str(tmp_path), tmp_path)


def test_a_path_that_is_not_there_is_not_taken_for_a_name(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="There is no folder /nowhere/whisper"):
        model_folder("/nowhere/whisper", tmp_path)
    with pytest.raises(UnknownModel):
        model_folder("whisper-huge", tmp_path)


def test_the_real_weights_are_the_published_ones(whisper_base: Path, models: Path) -> None:
    verify_model(find_model("whisper-base"), models)
    assert model_folder("whisper-base", models) == whisper_base
