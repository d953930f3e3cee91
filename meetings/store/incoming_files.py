"""Recordings uploaded in one request: written to the upload folder while the form is parsed, never copied."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
import weakref
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler

from meetings.store import upload_files

INCOMING_PREFIX = ".incoming-"
FORGOTTEN_S = 86_400.0
"""An older file was left by a process that died."""


class Incoming(UploadedFile):
    """The uploaded file of a form; deleted at the end of the request unless it was moved."""

    def __init__(self, name: str, content_type: str, charset: str | None) -> None:
        descriptor, path = tempfile.mkstemp(prefix=INCOMING_PREFIX, dir=upload_files.folder())
        self.path = Path(path)
        weakref.finalize(self, self.path.unlink, missing_ok=True)
        self.digest = hashlib.sha256()
        """Of what has arrived."""
        super().__init__(os.fdopen(descriptor, "w+b"), name, content_type, 0, charset)

    def move(self, meeting_id: str) -> None:
        """Make it the upload of a meeting, synced to disk."""
        self.flush()
        os.fsync(self.fileno())
        os.replace(self.path, upload_files.path(meeting_id))

    def close(self) -> None:
        super().close()
        self.path.unlink(missing_ok=True)


class IncomingHandler(FileUploadHandler):
    """Upload handler that writes the file of a request to the upload folder."""

    incoming: Incoming | None = None

    def new_file(self, *arguments: Any, **named: Any) -> None:
        super().new_file(*arguments, **named)
        self.incoming = Incoming(self.file_name or "", self.content_type or "", self.charset)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Raises upload_files.DiskFull, after deleting the file."""
        assert self.incoming is not None
        try:
            upload_files.require_room(len(raw_data))
            self.incoming.write(raw_data)
            self.incoming.digest.update(raw_data)
        except OSError as error:
            self.incoming.close()
            raise upload_files.DiskFull from error
        except upload_files.DiskFull:
            self.incoming.close()
            raise

    def file_complete(self, file_size: int) -> Incoming | None:
        if self.incoming is not None:
            self.incoming.seek(0)
            self.incoming.size = file_size
        return self.incoming

    def upload_interrupted(self) -> None:
        if self.incoming is not None:
            self.incoming.close()


def forget_old() -> None:
    """Delete files left by requests whose process died."""
    before = time.time() - FORGOTTEN_S
    for path in upload_files.folder().glob(f"{INCOMING_PREFIX}*"):
        if path.stat().st_mtime < before:
            path.unlink(missing_ok=True)
