"""Repetition in text: what a decoder in a loop writes, and people do not."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

COMPRESSION_RATIO = 2.4
"""Above which a text is a loop (Radford et al. 2022, section 4.5)."""

LONGEST_CYCLE = 6
"""Words in the longest phrase whose repetition is looked for."""
REPETITIONS = 4
"""A phrase said this often on end is a loop; "no, no, no" is not."""
SHORT_CYCLE_REPETITIONS = 7
"""The same for one or two words, which people do repeat."""


def compression_ratio(text: str) -> float:
    """How much shorter zlib makes the text: loops compress well."""
    encoded = text.encode()
    return len(encoded) / len(zlib.compress(encoded))


def is_cyclic(words: Sequence[str]) -> bool:
    """Whether one phrase stands there again and again without anything between."""
    return any(
        _longest_run(words, size) >= (SHORT_CYCLE_REPETITIONS if size <= 2 else REPETITIONS)
        for size in range(1, LONGEST_CYCLE + 1)
    )


def _longest_run(words: Sequence[str], size: int) -> int:
    """The most times that a phrase of `size` words follows itself, the first time included."""
    longest = run = 0
    for place in range(len(words) - size):
        run = run + 1 if words[place] == words[place + size] else 0
        longest = max(longest, run)
    return longest // size + 1
