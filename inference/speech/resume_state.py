"""Checkpoints from which a caption session can be resumed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from inference.speech.endpointing import Boundary
from inference.speech.vad import VAD_WINDOW, DetectorState

CHECKPOINT_VERSION = 1
"""Increase it when the meaning of stored data changes. An added field does not need a new version."""


class CheckpointError(ValueError):
    """The text is not a checkpoint of this version."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything that later captions depend on, between two utterances."""

    boundary: Boundary
    detector: str
    """`DetectorState.dumps`."""
    language: str | None = None
    """Last spoken language, for partials."""
    heard: dict[str, float] = field(default_factory=dict)
    """Probabilities of the languages so far, for utterances too short to detect theirs."""
    is_sealing: bool = True
    """Whether words are sealed before the end of an utterance, in a session that can."""

    @classmethod
    def at(cls, position: int) -> Checkpoint:
        """Return a checkpoint that only holds a position in samples."""
        return cls(Boundary(window=-(-position // VAD_WINDOW), floor=position), DetectorState.initial().dumps())

    def dumps(self) -> str:
        """Return one line of JSON. Version 1 is omitted, so that releases without versions can read it."""
        version = {} if CHECKPOINT_VERSION == 1 else {"version": CHECKPOINT_VERSION}
        return json.dumps({**version, **asdict(self)})

    @classmethod
    def loads(cls, text: str) -> Checkpoint:
        """Return the checkpoint from the text of `dumps`, ignoring unknown fields.

        Raises CheckpointError if the text is not a checkpoint, or of a later version.
        """
        try:
            stored = json.loads(text)
            if stored.get("version", 1) > CHECKPOINT_VERSION:
                raise CheckpointError(
                    f"a checkpoint of version {stored['version']}, and this is version {CHECKPOINT_VERSION}"
                )
            boundary = _known(Boundary, stored["boundary"])
            boundary["carried"] = tuple(boundary["carried"])
            return cls(**{**_known(cls, stored), "boundary": Boundary(**boundary)})
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise CheckpointError(f"not a checkpoint: {text[:80]!r}") from error


def _known(kind: type[Any], stored: dict[str, Any]) -> dict[str, Any]:
    """Return the stored fields that `kind` has."""
    return {field.name: stored[field.name] for field in fields(kind) if field.name in stored}
