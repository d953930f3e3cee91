"""Where a caption session may be resumed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

from inference.speech.endpointing import Boundary
from inference.speech.vad import WINDOW, DetectorState

VERSION = 1
"""Raise it when what is stored means something else. A field that is only added needs no new version."""


class CheckpointError(ValueError):
    """The text is no checkpoint of this version."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Between two utterances, all that later captions depend on."""

    boundary: Boundary
    detector: str
    """`DetectorState.dumps`."""
    language: str | None = None
    """What was spoken last, for utterances too short to tell."""

    @classmethod
    def at(cls, position: int) -> Checkpoint:
        """Return a checkpoint that knows nothing but where to go on, in samples."""
        return cls(Boundary(window=-(-position // WINDOW), floor=position), DetectorState.initial().dumps())

    def dumps(self) -> str:
        """Return one line of JSON. Version 1 is not written: whoever wrote checkpoints before it reads them."""
        version = {} if VERSION == 1 else {"version": VERSION}
        return json.dumps({**version, **asdict(self)})

    @classmethod
    def loads(cls, text: str) -> Checkpoint:
        """Return the checkpoint that `dumps` wrote; fields that this version does not know are left out.

        Raises CheckpointError when it is none, or of a later version.
        """
        try:
            stored = json.loads(text)
            if stored.get("version", 1) > VERSION:
                raise CheckpointError(f"a checkpoint of version {stored['version']}, and this is version {VERSION}")
            boundary = _known(Boundary, stored["boundary"])
            boundary["carried"] = tuple(boundary["carried"])
            return cls(**{**_known(cls, stored), "boundary": Boundary(**boundary)})
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise CheckpointError(f"not a checkpoint: {text[:80]!r}") from error


def _known(kind: type[Any], stored: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that `kind` has."""
    return {field.name: stored[field.name] for field in fields(kind) if field.name in stored}
