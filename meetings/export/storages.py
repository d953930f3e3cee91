"""Where transcript files are stored: a folder, or a bucket of S3 or of what speaks its language.

Keys, region and endpoint of a bucket are what the AWS tools read: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
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
"""Of one request; whoever stores a transcript tries again later, with a growing pause."""


def open_storage(place: str) -> Storage:
    """The storage at `s3://bucket/prefix`, or at the folder `place`."""
    return _bucket(place.removeprefix(S3)) if place.startswith(S3) else FolderStorage(location=place)


def storage_errors() -> tuple[type[Exception], ...]:
    """What storages raise when they cannot be reached, refuse, or are full."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    return OSError, Boto3Error, BotoCoreError, ClientError


def _bucket(address: str) -> Storage:
    """A bucket that answers soon or not at all."""
    from botocore.config import Config
    from storages.backends.s3 import S3Storage

    name, _, prefix = address.partition("/")
    config = Config(connect_timeout=CONNECT_S, read_timeout=ANSWER_S, retries={"max_attempts": ATTEMPTS})
    return S3Storage(
        bucket_name=name, location=prefix.strip("/"), file_overwrite=True, default_acl=None, client_config=config
    )


class FolderStorage(FileSystemStorage):
    """Files in a folder. A full disk leaves the old file, not half of the new one."""

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """The same name: what is stored again replaces what was there."""
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
