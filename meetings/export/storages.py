"""Storages of transcript files: a folder, or a bucket of S3 or a compatible service.

Keys, region and endpoint of a bucket are those of the AWS tools: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
`AWS_DEFAULT_REGION`, `AWS_ENDPOINT_URL_S3` …
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, Storage

S3 = "s3://"
CONNECT_S, ANSWER_S = 5, 30
ATTEMPTS = 2
"""Per request; callers retry later, with backoff."""


def open_storage(place: str) -> Storage:
    """Return the storage at `s3://bucket/prefix`, or in the folder `place`."""
    return _bucket(place.removeprefix(S3)) if place.startswith(S3) else FolderStorage(location=place)


def storage_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions that storages raise when unreachable, refusing or full."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    return OSError, Boto3Error, BotoCoreError, ClientError


def _bucket(address: str) -> Storage:
    """Return a bucket with short timeouts."""
    from botocore.config import Config
    from storages.backends.s3 import S3Storage

    name, _, prefix = address.partition("/")
    config = Config(connect_timeout=CONNECT_S, read_timeout=ANSWER_S, retries={"max_attempts": ATTEMPTS})
    return S3Storage(
        bucket_name=name, location=prefix.strip("/"), file_overwrite=True, default_acl=None, client_config=config
    )


class FolderStorage(FileSystemStorage):
    """Files in a folder. If the disk is full, the old file stays intact."""

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """Return the same name, so that storing again replaces the file."""
        return name

    def _save(self, name: str, content: File[Any]) -> str:
        path = Path(self.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                for chunk in content.chunks():
                    file.write(chunk if isinstance(chunk, bytes) else chunk.encode())
                file.flush()
                os.fsync(file.fileno())
            os.replace(unfinished, path)
        finally:
            Path(unfinished).unlink(missing_ok=True)
        return name
