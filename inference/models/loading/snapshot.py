"""Snapshots: write a network once in its final form, verify it, and map it quickly at every later start.

safetensors (https://github.com/huggingface/safetensors) holds the weights in their final type. This avoids pickle and
conversion, and pages are only read when used. Settings and tokenizer are stored next to it in the hub's layout.
"""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path
from typing import Any

from inference.models.loading.component import Component, Form
from inference.models.loading.manifest import (
    SNAPSHOT_MANIFEST,
    SnapshotManifest,
    SnapshotMissing,
    SnapshotUnusable,
    check_files,
    check_form,
    check_sources,
    describe_file,
    describe_source,
    library_versions,
    read_manifest,
)
from inference.models.loading.weights import assign, map_tensors, untie
from inference.models.readable import let_read, readable_folder

SNAPSHOTS = "snapshots"
"""Subfolder of a model's folder."""
WEIGHTS = "model.safetensors"
SETTINGS = "config.json"
"""Files that every snapshot has."""


class SnapshotDiffers(RuntimeError):
    """The written network differs from the one read; the snapshot was discarded."""


def snapshot_folder(component: Component, form: Form) -> Path:
    """Return the snapshot's location, existing or not. Raises SnapshotMissing if the component cannot have one."""
    if component.folder is None:
        raise SnapshotMissing(f"{component.name} lies in the hub's cache; only models in a folder have snapshots")
    return component.folder / SNAPSHOTS / f"{component.name}-{form.device}-{form.dtype}"


def check_snapshot(component: Component, form: Form) -> tuple[Path, SnapshotManifest]:
    """Return folder and manifest of a snapshot after verifying every byte of it and that its sources are unchanged.

    Raises:
        SnapshotMissing: there is none.
        SnapshotUnusable: a check failed.
    """
    folder = snapshot_folder(component, form)
    manifest = read_manifest(folder)
    check_form(manifest, component.name, form)
    assert component.folder is not None
    check_sources(manifest, component.sources, component.folder)
    check_files(manifest, folder)
    return folder, manifest


def load_snapshot(component: Component, form: Form) -> tuple[Any, Path]:
    """Return the network with mapped weights, and the folder with its settings. Raises as `check_snapshot` does."""
    folder, manifest = check_snapshot(component, form)
    return _mapped(component, folder, manifest), folder


def write_snapshot(component: Component, form: Form, network: Any = None) -> Path:
    """Write a snapshot of `network`, read the standard way by default, and load it once to compare.

    The snapshot is replaced by renaming, so that a reader never finds a partial one.

    Raises:
        SnapshotMissing: the component cannot have one.
        SnapshotDiffers: the written weights or outputs differ from those of the network.
        OSError: the folder is not writable, or the disk is full.
    """
    target = snapshot_folder(component, form)
    network = component.read(form) if network is None else network
    readable_folder(target.parent)
    temporary = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    temporary.mkdir()
    try:
        manifest = _write(component, form, network, temporary)
        _verify(component, network, temporary, manifest)
        let_read(temporary)
        _put_in_place(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def _write(component: Component, form: Form, network: Any, folder: Path) -> SnapshotManifest:
    from safetensors.torch import save_file

    assert component.folder is not None
    component.write_settings(network, folder)
    tensors, tied = untie(network)
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    manifest = SnapshotManifest(
        component=component.name,
        form=form,
        sources={path.relative_to(component.folder).as_posix(): describe_source(path) for path in component.sources},
        files={path.relative_to(folder).as_posix(): describe_file(path) for path in _files(folder)},
        tied=tied,
        versions=library_versions(),
    )
    (folder / SNAPSHOT_MANIFEST).write_text(manifest.text(), encoding="utf-8")
    return manifest


def _mapped(component: Component, folder: Path, manifest: SnapshotManifest) -> Any:
    network = component.build(folder)
    try:
        assign(network, map_tensors(folder / WEIGHTS), manifest.tied)
    except (RuntimeError, KeyError) as error:
        raise SnapshotUnusable(f"its weights are not those of {component.name}: {error}") from error
    return network.eval()


def _verify(component: Component, network: Any, folder: Path, manifest: SnapshotManifest) -> None:
    import torch

    check_files(read_manifest(folder), folder)
    written = _mapped(component, folder, manifest)
    own = network.state_dict()
    for name, tensor in written.state_dict().items():
        if tensor.dtype != own[name].dtype or not torch.equal(tensor, own[name]):
            raise SnapshotDiffers(f"{component.name}: {name} was written otherwise than it was read.")
    # Alignment of the weights in memory selects the processor's instructions, which round differently.
    with torch.inference_mode():
        is_same = torch.allclose(component.probe(written), component.probe(network), rtol=1e-3, atol=1e-4)
    if not is_same:
        raise SnapshotDiffers(f"{component.name}: what was written answers otherwise than what was read.")


def _put_in_place(temporary: Path, target: Path) -> None:
    replaced = temporary.with_name(f"{temporary.name}-replaced")
    if target.exists():
        target.rename(replaced)
    try:
        temporary.rename(target)
    except OSError:
        if not target.is_dir():  # another process may have written the same one meanwhile
            raise
    finally:
        shutil.rmtree(replaced, ignore_errors=True)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
