from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from inference.models.readable import let_read, readable_folder


@pytest.fixture(autouse=True)
def _for_its_owner_alone() -> Iterator[None]:
    """The umask of the product."""
    before = os.umask(0o077)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_everybody_may_read_and_nobody_write(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "tokenizer").mkdir(parents=True)
    for name in ("model.bin", "tokenizer/vocab.json"):
        (folder / name).touch(0o600)
    let_read(folder)
    assert [mode(path) for path in (folder, folder / "tokenizer")] == [0o755] * 2
    assert [mode(path) for path in folder.rglob("*.*")] == [0o644] * 2


def test_a_folder_is_made_for_everybody_and_an_old_one_stays_as_it_is(tmp_path: Path) -> None:
    assert mode(readable_folder(tmp_path / "data" / "models")) == 0o755
    assert mode(tmp_path / "data") == 0o700, "what lies beside the models is not published"
    (tmp_path / "mine").mkdir()
    assert mode(readable_folder(tmp_path / "mine")) == 0o700
