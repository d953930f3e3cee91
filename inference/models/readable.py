"""File modes for weights. They are public, so every user may read them, whatever the umask of the fetching process."""

from __future__ import annotations

from pathlib import Path

FOLDER, FILE = 0o755, 0o644


def readable_folder(folder: Path) -> Path:
    """Return the folder. If it does not exist, create it readable by all users."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        return folder
    folder.chmod(FOLDER)
    return folder


def let_read(folder: Path) -> None:
    """Make the folder and its contents readable by all users; libraries write some files for their owner only."""
    folder.chmod(FOLDER)
    for path in folder.rglob("*"):
        path.chmod(FOLDER if path.is_dir() else FILE)
