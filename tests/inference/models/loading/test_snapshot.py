"""A snapshot is loaded when every byte of it, and of what it was made of, is as it was; else the next way is gone."""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference.models.loading import manifest, snapshot
from inference.models.loading.component import Form, NotMappable
from inference.models.loading.manifest import SNAPSHOT_MANIFEST, SnapshotMissing, SnapshotUnusable, read_manifest
from inference.models.loading.snapshot import (
    WEIGHTS,
    SnapshotDiffers,
    check_snapshot,
    load_snapshot,
    snapshot_folder,
    write_snapshot,
)
from inference.models.loading.strategy import Strategy, load
from tests.inference.models.loading.tiny import SOURCE, TinyComponent, TinyNetwork, make

FORM = Form()


@pytest.fixture
def component(tmp_path: Path) -> TinyComponent:
    return make(tmp_path)


@pytest.fixture
def written(component: TinyComponent) -> Path:
    return write_snapshot(component, FORM)


def tried(component: TinyComponent, form: Form = FORM) -> tuple[Strategy, list[tuple[Strategy, str]]]:
    loaded = load(component, form)
    assert torch.equal(component.probe(loaded.network), component.probe(component.read(form)))
    return loaded.strategy, [(refusal.strategy, refusal.reason) for refusal in loaded.refusals]


def reason(component: TinyComponent, form: Form = FORM) -> str:
    """Why the snapshot was refused, with the next way gone instead."""
    strategy, [(refused, why)] = tried(component, form)
    assert (strategy, refused) == ("mapped", "snapshot")
    return why


def test_it_gives_the_same_network_with_tied_weights(component: TinyComponent, written: Path) -> None:
    network, folder = load_snapshot(component, FORM)
    assert folder == written
    assert torch.equal(component.probe(network), component.probe(component.read(FORM)))
    assert network.head.weight is network.embedding.weight
    assert not network.training
    assert tried(component) == ("snapshot", [])


def test_it_holds_the_final_type_and_no_pickle(component: TinyComponent) -> None:
    form = Form(dtype="float16")
    folder = write_snapshot(component, form)
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json", SNAPSHOT_MANIFEST, WEIGHTS, "tokenizer.json",
    ]  # fmt: skip
    network, _ = load_snapshot(component, form)
    assert network.embedding.weight.dtype == torch.float16
    assert read_manifest(folder).versions.keys() == {"torch", "transformers"}


def test_root_writes_it_for_everybody(component: TinyComponent) -> None:
    before = os.umask(0o077)
    try:
        folder = write_snapshot(component, FORM)
    finally:
        os.umask(before)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder.parent, folder)] == [0o755] * 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o644}


def test_without_one_the_next_ways_are_gone_in_order(component: TinyComponent) -> None:
    assert reason(component).startswith("there is no snapshot in ")
    strategy, refusals = tried(replace(component, is_mappable=False))
    assert strategy == "standard"
    assert [refused for refused, _ in refusals] == ["snapshot", "mapped"]
    assert refusals[1][1] == "its weights are packed"


def test_a_way_that_was_asked_for_alone_fails_with_its_reason(component: TinyComponent) -> None:
    with pytest.raises(SnapshotMissing):
        load(component, FORM, ["snapshot"])
    with pytest.raises(NotMappable):
        load(replace(component, is_mappable=False), FORM, ["snapshot", "mapped"])


def test_a_cut_file_is_refused(component: TinyComponent, written: Path) -> None:
    with (written / WEIGHTS).open("r+b") as file:
        file.truncate(100)
    assert "has 100 bytes instead of" in reason(component)


def test_a_missing_tokenizer_is_refused(component: TinyComponent, written: Path) -> None:
    (written / "tokenizer.json").unlink()
    assert reason(component).endswith("tokenizer.json cannot be read: No such file or directory")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_a_flipped_bit_anywhere_is_refused(component: TinyComponent, data: st.DataObject) -> None:
    folder = snapshot_folder(component, FORM)
    if not folder.exists():
        write_snapshot(component, FORM)
    path = folder / data.draw(st.sampled_from(sorted(path.name for path in folder.iterdir())))
    content = path.read_bytes()
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    flipped = bytearray(content)
    flipped[bit // 8] ^= 1 << bit % 8
    path.write_bytes(flipped)
    try:
        with pytest.raises(SnapshotUnusable):
            check_snapshot(component, FORM)
    finally:
        path.write_bytes(content)
    check_snapshot(component, FORM)


def test_weights_of_another_source_are_refused(component: TinyComponent, written: Path) -> None:
    make(component.folder, seed=1)
    assert reason(component).endswith(f"{SOURCE} is not what the snapshot was written with: its sha256 is another")


def test_a_source_that_was_only_copied_is_the_same(component: TinyComponent, written: Path) -> None:
    os.utime(component.folder / SOURCE, ns=(1, 1))
    assert tried(component) == ("snapshot", [])


def test_another_form_network_or_generation_is_refused(
    component: TinyComponent, written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = Form(dtype="float16")
    shutil.copytree(written, snapshot_folder(component, half))
    assert reason(component, half) == "it is float32 for cpu, not float16 for cpu"
    card = Form(device="cuda")
    shutil.copytree(written, snapshot_folder(component, card))
    assert reason(component, card) == "it is float32 for cpu, not float32 for cuda"
    other = replace(component, name="other")
    shutil.copytree(written, snapshot_folder(other, FORM))
    assert reason(other) == "it holds tiny, not other"
    monkeypatch.setattr(manifest, "version", lambda name: "99.0" if name == "torch" else "5.0")
    assert reason(component).endswith("and 99.0 is installed")


def test_what_does_not_answer_alike_is_not_kept(component: TinyComponent, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(folder: Path) -> TinyNetwork:
        network = TinyNetwork(8)
        network.computed += 1
        return network

    monkeypatch.setattr(TinyComponent, "build", lambda self, folder: wrong(folder))
    with pytest.raises(SnapshotDiffers, match="answers otherwise"):
        write_snapshot(component, FORM)
    assert list((component.folder / snapshot.SNAPSHOTS).iterdir()) == []


def test_a_write_that_breaks_off_leaves_the_old_one(
    component: TinyComponent, written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: TinyComponent, network: Any, folder: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(TinyComponent, "write_settings", full)
    with pytest.raises(OSError, match="No space left"):
        write_snapshot(component, FORM)
    assert list(written.parent.iterdir()) == [written]
    assert tried(component) == ("snapshot", [])


def test_a_folder_that_cannot_be_written_is_said_so(component: TinyComponent, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(self: Path, *_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system", str(self))

    # Permissions do not hold back a superuser, as whom tests may run.
    monkeypatch.setattr(Path, "mkdir", read_only)
    with pytest.raises(OSError, match="Read-only file system"):
        write_snapshot(component, FORM)
    assert reason(component).startswith("there is no snapshot")


def test_writing_again_replaces_it(component: TinyComponent, written: Path) -> None:
    make(component.folder, seed=1)
    assert write_snapshot(component, FORM) == written
    assert tried(component) == ("snapshot", [])
    assert list(written.parent.iterdir()) == [written]
