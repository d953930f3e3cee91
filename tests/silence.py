"""What was said and what opens a meeting, looked for where neither may stand: in logs and in metrics."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlsplit

RUN = 3
"""Words in a row; fewer are said by logs too."""

SECRET = 16
"""Characters of a value in an address from which on it may open something."""


def told(text: str, *, spoken: Iterable[str], secrets: Iterable[str]) -> list[str]:
    """What of `spoken` (runs of its words, whatever the case) and of `secrets` stands in `text`."""
    said = f" {_plain(text)} "
    runs = (run for line in spoken for run in _runs(_plain(line).split()))
    return [*(run for run in runs if f" {run} " in said), *(secret for secret in secrets if secret in text)]


def secrets_of(address: str) -> set[str]:
    """Values in the query of an address that are long enough to open something."""
    return {value for _, value in parse_qsl(urlsplit(address).query) if len(value) >= SECRET}


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def _runs(words: list[str]) -> list[str]:
    return [" ".join(words[place : place + RUN]) for place in range(len(words) - RUN + 1)]
