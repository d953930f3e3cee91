"""Detection of repetition that decoders in a loop produce and speakers do not."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

COMPRESSION_RATIO = 2.4
"""Text above this ratio is a loop (Radford et al. 2022, section 4.5)."""

LONGEST_CYCLE = 6
"""Words in the longest phrase checked for repetition."""
REPETITIONS = 4
"""Consecutive repetitions that make a phrase a loop; "no, no, no" stays below."""
SHORT_CYCLE_REPETITIONS = 7
"""The same for one or two words, which speakers do repeat."""


def compression_ratio(text: str) -> float:
    """Return the ratio of the text's length to its zlib-compressed length; loops compress well."""
    encoded = text.encode()
    return len(encoded) / len(zlib.compress(encoded))


def is_cyclic(words: Sequence[str]) -> bool:
    """Return whether one phrase repeats often enough, without a gap, to be a loop."""
    return any(
        longest_run(words, size) >= (SHORT_CYCLE_REPETITIONS if size <= 2 else REPETITIONS)
        for size in range(1, LONGEST_CYCLE + 1)
    )


def longest_run(words: Sequence[str], size: int) -> int:
    """Return the most consecutive occurrences of any phrase of `size` words."""
    longest = run = 0
    for place in range(len(words) - size):
        run = run + 1 if words[place] == words[place + size] else 0
        longest = max(longest, run)
    return longest // size + 1
