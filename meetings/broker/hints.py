"""Hints between processes through the broker. They may be lost, for the database is the truth.

Partials and notices are hints too: they are sent to every viewer and not stored.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from inference.types import PartialCaption
from meetings.broker.notices import NOTICES, Notice

ROUND_S = 3
"""Decimals of seconds on the wire: a millisecond."""


class PartialMessage(TypedDict):
    type: Literal["partial"]
    segment: str
    start: float
    speaker: str | None
    text: str
    provisional: bool


def partial(event: PartialCaption) -> PartialMessage:
    return PartialMessage(
        type="partial",
        segment=event.segment,
        start=round(event.start, ROUND_S),
        speaker=None,
        text=event.text,
        provisional=event.provisional,
    )


@dataclass(frozen=True, slots=True)
class StoredChange:
    """Changes up to `seq` are stored and can be read."""

    seq: int


@dataclass(frozen=True, slots=True)
class Broadcast:
    """A message for everyone that is not stored: a partial or a notice."""

    message: PartialMessage | Notice


@dataclass(frozen=True, slots=True)
class Recheck:
    """Links, a password, a sign-in or the spoken language have changed: check open sockets again."""


Hint = StoredChange | Broadcast | Recheck
RECHECK = "recheck"


def events_channel(meeting_id: str) -> str:
    return f"parlance:{{{meeting_id}}}:events"


def pack(hints: Iterable[Hint]) -> bytes:
    """Encode the hints of one step as one broker message, in order.

    Encode a new kind of hint as an object with a `type` of its own: other versions ignore it.
    """
    return json.dumps([_packed(hint) for hint in hints]).encode()


def unpack(data: bytes) -> list[Hint]:
    """Return the hints of a broker message that this version knows; ignore everything else."""
    try:
        items = json.loads(data)
    except (ValueError, RecursionError):
        return []
    known = map(_unpacked, items if isinstance(items, list) else ())
    return [hint for hint in known if hint is not None]


def _packed(hint: Hint) -> object:
    if isinstance(hint, Recheck):
        return RECHECK
    return hint.seq if isinstance(hint, StoredChange) else hint.message


def _unpacked(item: Any) -> Hint | None:
    match item:
        case bool():
            return None
        case int():
            return StoredChange(item)
        case str() if item == RECHECK:
            return Recheck()
        case {"type": "partial", "segment": str(), "text": str()}:
            return Broadcast(item)
        case {"type": "notice", "state": str(state)} if state in NOTICES:
            return Broadcast(item)
    return None
