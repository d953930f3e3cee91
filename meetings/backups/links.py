"""Second names of files: what was deleted or replaced under its first name is still there under the second."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

ELSEWHERE = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP)
"""The folder is on another file system, or its file system has no second names."""


def hold(source: Path, link: Path) -> None:
    """Give the file a second name, or copy it where that cannot be. Raises FileExistsError, OSError."""
    try:
        os.link(source, link)
    except OSError as error:
        if error.errno not in ELSEWHERE:
            raise
        shutil.copy2(source, link)
