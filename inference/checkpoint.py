"""Where a caption session may be resumed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from inference.endpointing import Boundary


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

    def dumps(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def loads(cls, text: str) -> Checkpoint:
        """The checkpoint that `dumps` wrote. Raises CheckpointError when it is none."""
        try:
            fields = json.loads(text)
            boundary = fields.pop("boundary")
            carried = tuple(boundary.pop("carried"))
            return cls(Boundary(carried=carried, **boundary), **fields)
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise CheckpointError(f"not a checkpoint: {text[:80]!r}") from error
