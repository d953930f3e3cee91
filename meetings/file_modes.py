"""Whose files these are: what an installation keeps is for its own user, and for nobody else on the machine.

Files get their modes from the process's umask, whoever makes them: Django, SQLite, the broker, FFmpeg. The weights of
models alone are for everybody (`inference.models.readable`): they are published.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

import structlog
from django.core.exceptions import ImproperlyConfigured

log = structlog.get_logger(__name__)

UMASK = 0o077
OWNER_ALONE = 0o700
OTHERS = 0o077

DATA_FOLDERS = ("broker", "recordings", "results", "uploads")
"""In the data folder; each may be a link to another disk, which the data folder's own mode does not guard."""


def keep_to_owner() -> None:
    """Let nobody else read what this process and its children make from now on."""
    os.umask(UMASK)


def tighten(data: Path) -> None:
    """Take from others what an earlier version, or an operator, has given them of the data folder.

    Raises:
        ImproperlyConfigured: the folder is everybody's, such as /tmp.
    """
    for folder in (data, *(data / name for name in DATA_FOLDERS)):
        try:
            status = folder.stat()
        except OSError:
            continue
        if status.st_mode & stat.S_ISVTX:
            raise ImproperlyConfigured(f"{folder} is a folder of everybody's; give PARLANCE_DATA one of its own.")
        if status.st_mode & OTHERS:
            _close(folder)


def private_folder(folder: Path) -> Path:
    """Return the folder, made for this user alone if it is not there yet: for places where others make folders, too.

    Raises:
        ImproperlyConfigured: somebody else's, open to others, or a link: whoever made it may have prepared it for us.
    """
    try:
        folder.mkdir(mode=OWNER_ALONE)
    except FileExistsError:
        status = folder.lstat()
        is_ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & OTHERS
        if not is_ours:
            raise ImproperlyConfigured(
                f"{folder} is not this user's alone: remove it, or set PARLANCE_DATA to a shorter path."
            ) from None
    return folder


def _close(folder: Path) -> None:
    try:
        folder.chmod(OWNER_ALONE)
    except OSError as error:
        log.warning("folder_open_to_others", folder=str(folder), error=error.strerror)
