"""Resolve a model's name to a folder with exactly its files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from inference.models.catalog import MODELS, Model, ModelFile, find_model

CHUNK_BYTES = 1 << 20
REQUIRED_FILES = ("model.bin", "config.json")
"""Files that every CTranslate2 model folder must have."""

ProgressCallback = Callable[[int], object]
"""Progress callback; receives the number of bytes just processed."""


class ModelMissing(FileNotFoundError):
    """The weights are not on this machine."""


class ModelUnreadable(ModelMissing):
    """The weights are on this machine, and this user may not read them."""


class ModelCorrupt(ValueError):
    """A file is present but does not match the catalogue."""


def model_folder(name_or_path: str, models: Path) -> Path:
    """Return the folder of a catalogue model under `models`, or the operator's own folder.

    Only checks names and sizes, which is fast; `verify_model` reads every byte.

    Raises:
        ModelMissing: the folder or one of its files is missing.
        ModelUnreadable: this user may not read them.
        ModelCorrupt: a file has the wrong size.
        UnknownModel: the argument is neither a catalogue name nor a path.
    """
    if name_or_path not in {model.name for model in MODELS} and Path(name_or_path).expanduser().is_dir():
        return _own_folder(Path(name_or_path).expanduser())
    if "/" in name_or_path:
        raise ModelMissing(f"There is no folder {name_or_path}; name a folder with a CTranslate2 model.")
    return check_sizes(find_model(name_or_path), models)


def check_sizes(model: Model, models: Path) -> Path:
    """Return the folder of `model` after checking every file's presence and size. Raises as `model_folder` does."""
    for file in model.files:
        check_size(model, file, models / model.name)
    return models / model.name


def verify_model(model: Model, models: Path, advance: ProgressCallback = lambda _: None) -> None:
    """Read every file of `model` and compare its sha256.

    Raises:
        ModelMissing: a file is missing.
        ModelCorrupt: a file differs from the published one.
    """
    folder = models / model.name
    for file in model.files:
        check_size(model, file, folder)
        check_digest(model, file, folder, advance)


def check_size(model: Model, file: ModelFile, folder: Path) -> None:
    """Check that one file exists, is readable, and has the expected size."""
    path = folder / file.name
    if not is_readable_file(path):
        raise ModelMissing(f"{model.name}: {path} is missing; run `manage.py models fetch {model.name}`.")
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        raise ModelCorrupt(
            f"{model.name}: {path} has {size:,} bytes instead of {file.size:,}; "
            f"run `manage.py models fetch {model.name}`."
        )


def is_readable_file(path: Path) -> bool:
    """Return whether the file is there. Raises ModelUnreadable: it may be, and this user may not read it."""
    try:
        is_there = path.is_file()
    except PermissionError as error:
        raise _unreadable(path) from error
    if is_there and not os.access(path, os.R_OK):
        raise _unreadable(path)
    return is_there


def _unreadable(path: Path) -> ModelUnreadable:
    return ModelUnreadable(f"{path} may not be read by this user; let it read the file and open the folders above.")


def check_digest(model: Model, file: ModelFile, folder: Path, advance: ProgressCallback) -> None:
    """Check the content of one file. A file without a published digest is read but not compared."""
    path = folder / file.name
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
            advance(len(chunk))
    if file.sha256 is not None and digest.hexdigest() != file.sha256:
        raise ModelCorrupt(
            f"{model.name}: {path} is not the published file (sha256 {digest.hexdigest()}); "
            f"run `manage.py models fetch {model.name}`."
        )


def _own_folder(folder: Path) -> Path:
    for name in REQUIRED_FILES:
        if not is_readable_file(folder / name):
            raise ModelMissing(f"{folder} has no {name}; name a folder with a CTranslate2 model.")
    for path in folder.iterdir():
        is_readable_file(path)
    return folder
