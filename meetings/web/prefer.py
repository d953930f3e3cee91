"""The `Prefer` header (RFC 7240): whether a client wants to fetch the result later, and how long it waits before."""

from __future__ import annotations

import re
from dataclasses import dataclass

WAIT = re.compile(r"wait\s*=\s*\"?(\d{1,9})\"?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Preference:
    """What of the header is followed; anything else in it is ignored, as the RFC demands."""

    is_async: bool = False
    most_s: float | None = None
    """Seconds that the client waits; None: it did not say."""

    @classmethod
    def read(cls, header: str) -> Preference:
        parts = [part.partition(";")[0].strip().lower() for part in header.split(",")]
        waits = [float(found[1]) for part in parts if (found := WAIT.fullmatch(part))]
        return cls("respond-async" in parts, waits[0] if waits else None)

    def wait_s(self, most_s: float) -> float:
        """Return the seconds to wait for a result, at most `most_s`. Without `wait`, `respond-async` waits for none."""
        wanted = self.most_s if self.most_s is not None else 0.0 if self.is_async else most_s
        return min(wanted, most_s)
