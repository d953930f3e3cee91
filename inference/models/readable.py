"""Weights are published, so every user of the machine may read them, whatever the umask of who brought them here."""

from __future__ import annotations

from pathlib import Path

FOLDER, FILE = 0o755, 0o644


def readable_folder(folder: Path) -> Path:
    """Return the folder; made, if it is not there yet, so that everybody may look into it."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        return folder
    folder.chmod(FOLDER)
    return folder


def let_read(folder: Path) -> None:
    """Let everybody read the folder and all that is in it; libraries write some files for their owner alone."""
    folder.chmod(FOLDER)
    for path in folder.rglob("*"):
        path.chmod(FOLDER if path.is_dir() else FILE)
