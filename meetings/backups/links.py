"""Hard links to files: they keep the content when the original is deleted or replaced."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

NO_LINK_ERRORS = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP)
"""The folder is on another file system, or its file system has no hard links."""


def hold(source: Path, link: Path) -> None:
    """Link the file, or copy it if that is not possible. Raises FileExistsError, OSError."""
    try:
        os.link(source, link)
    except OSError as error:
        if error.errno not in NO_LINK_ERRORS:
            raise
        shutil.copy2(source, link)
