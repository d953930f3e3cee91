"""Jobs to transcribe many files, and their outputs: files that are done and unchanged are skipped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.core.files.storage import Storage

from meetings.export.storages import S3


class SameName(ValueError):
    """Two files would have the same transcript."""


@dataclass(frozen=True, slots=True)
class Job:
    """One recording to transcribe."""

    file: Path
    name: str
    """Name of its transcript within the storage."""


def is_place(output: str) -> bool:
    """Return whether `output` can hold several transcripts: a folder, or `s3://bucket/prefix`."""
    return output.startswith(S3) or output.endswith("/") or Path(output).is_dir()


def plan(files: Sequence[Path], format_name: str) -> list[Job]:
    """Return one job per file, in order. Raises SameName; the message is a sentence for people."""
    jobs = [Job(file, f"{file.stem}.{format_name}") for file in files]
    first: dict[str, Path] = {}
    for job in jobs:
        other = first.setdefault(job.name, job.file)
        if other is not job.file:
            raise SameName(f"{other} and {job.file} would both become {job.name}; rename one, or use two folders.")
    return jobs


def is_done(job: Job, storage: Storage) -> bool:
    """Return whether the transcript exists and is not older than the recording. Raises the errors of the storage.

    A bucket truncates times to whole seconds, so a recording of the same second counts as not newer.
    """
    if not storage.exists(job.name):
        return False
    stored = storage.get_modified_time(job.name)
    recorded = datetime.fromtimestamp(job.file.stat().st_mtime, UTC)
    return stored >= (recorded if stored.microsecond else recorded.replace(microsecond=0))
