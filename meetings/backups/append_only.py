"""The embedded broker's append-only file, held at one moment while the broker goes on writing it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from meetings.backups import links

MANIFEST = "appendonly.aof.manifest"
TRIES = 20
"""A rewriting replaces the files; it takes seconds, and the next one comes when the file has doubled."""


class Unsteady(Exception):
    """The files were replaced at every try."""


@dataclass(frozen=True, slots=True)
class Held:
    """A file as far as it was written at the moment."""

    path: Path
    size: int


def hold(logs: Path, staging: Path) -> list[Held]:
    """Link what the manifest names into `staging`, and return it with the sizes of now; empty where there is none.

    Files only grow, and those before the last do not: cut at these sizes they are what a broker leaves that is killed
    at this moment. Links keep them when the broker replaces them. Raises Unsteady.
    """
    manifest = logs / MANIFEST
    for attempt in range(TRIES):
        place = staging / f"log-{attempt}"
        place.mkdir()
        try:
            told = manifest.read_bytes()
            held = [_linked(logs / name, place / name) for name in _named(told)]
            if manifest.read_bytes() != told:
                continue
        except FileNotFoundError:
            if not manifest.exists():
                return []
            continue
        (place / MANIFEST).write_bytes(told)
        return [Held(place / MANIFEST, len(told)), *held]
    raise Unsteady(f"The broker's files in {logs} changed at each of {TRIES} tries; try again.")


def _named(manifest: bytes) -> list[str]:
    """Base and increments; history (`type h`) is what the broker is about to delete."""
    lines = [line.split() for line in manifest.decode().splitlines() if line.startswith("file ")]
    return [words[1] for words in lines if words[5] != "h"]


def _linked(source: Path, link: Path) -> Held:
    links.hold(source, link)
    return Held(link, link.stat().st_size)
