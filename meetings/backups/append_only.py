"""Snapshot of the embedded broker's append-only file while the broker keeps writing it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from meetings.backups import links

AOF_MANIFEST = "appendonly.aof.manifest"
HOLD_ATTEMPTS = 20
"""A rewrite replaces the files; it takes seconds, and the next one comes when the file has doubled."""


class Unsteady(Exception):
    """The files were replaced during every attempt."""


@dataclass(frozen=True, slots=True)
class Held:
    """A file with its size at the time of the snapshot."""

    path: Path
    size: int


def hold(logs: Path, staging: Path) -> list[Held]:
    """Link the files of the manifest into `staging`; return them with their current sizes, if there are any.

    Files only grow, and all but the last do not change: cut at these sizes, they equal what a broker killed now would
    leave. Links keep them when the broker replaces them. Raises Unsteady.
    """
    manifest = logs / AOF_MANIFEST
    for attempt in range(HOLD_ATTEMPTS):
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
        (place / AOF_MANIFEST).write_bytes(told)
        return [Held(place / AOF_MANIFEST, len(told)), *held]
    raise Unsteady(f"The broker's files in {logs} changed at each of {HOLD_ATTEMPTS} tries; try again.")


def _named(manifest: bytes) -> list[str]:
    """Return base and increments; the broker is about to delete history files (`type h`)."""
    lines = [line.split() for line in manifest.decode().splitlines() if line.startswith("file ")]
    return [words[1] for words in lines if words[5] != "h"]


def _linked(source: Path, link: Path) -> Held:
    links.hold(source, link)
    return Held(link, link.stat().st_size)
