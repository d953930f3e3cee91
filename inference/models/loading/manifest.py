"""A snapshot's manifest: its source files, its form, and the digest of each of its files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from inference.models.loading.component import Form

SNAPSHOT_MANIFEST = "manifest.json"
SNAPSHOT_FORMAT = 1
LIBRARIES = ("torch", "transformers")


class SnapshotUnusable(ValueError):
    """The snapshot must not be loaded; the message says why."""


class SnapshotMissing(SnapshotUnusable):
    """There is no snapshot."""


@dataclass(frozen=True, slots=True)
class FileDigest:
    """Size and digest of one file."""

    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True, slots=True)
class SnapshotSource:
    """One file that the snapshot was made from."""

    digest: FileDigest
    modified_ns: int
    """Modification time. While it and the size are unchanged, the content is assumed unchanged: reading it would cost
    the time that snapshots save.
    """


@dataclass(frozen=True, slots=True)
class SnapshotManifest:
    component: str
    form: Form
    sources: dict[str, SnapshotSource]
    """By name within the model's folder."""
    files: dict[str, FileDigest]
    """By name within the snapshot."""
    tied: dict[str, str]
    """Tied weights, mapped to the name of the weight they share."""
    versions: dict[str, str]
    """Versions of LIBRARIES when the snapshot was written."""

    def text(self) -> str:
        """Return the text of the MANIFEST file. Its digest covers all other fields."""
        fields = {"format": SNAPSHOT_FORMAT, **asdict(self)}
        return json.dumps({**fields, "digest": _digest(fields)}, indent=1, sort_keys=True) + "\n"


def describe_file(path: Path) -> FileDigest:
    """Return the size and digest of `path`. Reads every byte."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileDigest(path.stat().st_size, digest)


def describe_source(path: Path) -> SnapshotSource:
    """Return the digest and modification time of `path`. Reads every byte."""
    return SnapshotSource(describe_file(path), path.stat().st_mtime_ns)


def library_versions() -> dict[str, str]:
    """Return the installed versions of LIBRARIES."""
    return {name: version(name) for name in LIBRARIES}


def read_manifest(folder: Path) -> SnapshotManifest:
    """Return the manifest of the snapshot in `folder`.

    Raises:
        SnapshotMissing: there is none.
        SnapshotUnusable: the manifest was altered or cannot be read.
    """
    try:
        text = (folder / SNAPSHOT_MANIFEST).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise SnapshotMissing(f"there is no snapshot in {folder}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SnapshotUnusable(f"{folder / SNAPSHOT_MANIFEST} cannot be read: {error}") from error
    try:
        manifest = _parse(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SnapshotUnusable(f"{folder / SNAPSHOT_MANIFEST} is no manifest of format {SNAPSHOT_FORMAT}") from error
    if manifest.text() != text:
        raise SnapshotUnusable(f"{folder / SNAPSHOT_MANIFEST} is not as it was written")
    return manifest


def check_form(manifest: SnapshotManifest, component: str, form: Form) -> None:
    """Raise SnapshotUnusable if the network, the form, or a library's major version differs."""
    if manifest.component != component:
        raise SnapshotUnusable(f"it holds {manifest.component}, not {component}")
    if manifest.form != form:
        raise SnapshotUnusable(
            f"it is {manifest.form.dtype} for {manifest.form.device}, not {form.dtype} for {form.device}"
        )
    for name, installed in library_versions().items():
        written = manifest.versions.get(name, "")
        if written.partition(".")[0] != installed.partition(".")[0]:
            raise SnapshotUnusable(f"it was written with {name} {written}, and {installed} is installed")


def check_files(manifest: SnapshotManifest, folder: Path) -> None:
    """Read every byte of the snapshot. Raises SnapshotUnusable for a missing or altered file."""
    for name, written in manifest.files.items():
        _compare(folder / name, written)


def check_sources(manifest: SnapshotManifest, sources: Iterable[Path], folder: Path) -> None:
    """Raise SnapshotUnusable if the model's own files are not those the snapshot was made from.

    A file with another modification time is read completely.
    """
    present = {source.relative_to(folder).as_posix(): source for source in sources}
    if present.keys() != manifest.sources.keys():
        raise SnapshotUnusable(f"it was made of {sorted(manifest.sources)}, not of {sorted(present)}")
    for name, path in present.items():
        check_source(path, manifest.sources[name])


def check_source(path: Path, written: SnapshotSource) -> None:
    """Raise SnapshotUnusable if `path` is not the described file. Read completely if its time or size changed."""
    try:
        state = path.stat()
    except OSError as error:
        raise SnapshotUnusable(f"{path} cannot be read: {error.strerror}") from error
    if (state.st_size, state.st_mtime_ns) != (written.digest.size, written.modified_ns):
        _compare(path, written.digest)


def _compare(path: Path, written: FileDigest) -> None:
    try:
        size = path.stat().st_size
        if size != written.size:
            raise SnapshotUnusable(f"{path} has {size:,} bytes instead of {written.size:,}")
        if describe_file(path) != written:
            raise SnapshotUnusable(f"{path} is not what the snapshot was written with: its sha256 is another")
    except OSError as error:
        raise SnapshotUnusable(f"{path} cannot be read: {error.strerror}") from error


def _digest(fields: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def _parse(fields: dict[str, Any]) -> SnapshotManifest:
    sources = {
        name: SnapshotSource(FileDigest(**one["digest"]), one["modified_ns"]) for name, one in fields["sources"].items()
    }
    files = {name: FileDigest(**one) for name, one in fields["files"].items()}
    return SnapshotManifest(
        fields["component"], Form(**fields["form"]), sources, files, dict(fields["tied"]), dict(fields["versions"])
    )
